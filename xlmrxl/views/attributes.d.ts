// What `element` of dom.js takes.

type Listeners = { [Name in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Name]) => void };

/** The attributes of an element by their names, and listeners by the names of events. */
export interface Attributes extends Listeners {
  [name: string]: string | number | boolean | null | undefined | ((event: never) => void);
}

/** What an element may contain: nothing where there is none. */
export type Child = Node | string | number | null | undefined | false;
