"""What to begin with in each tab: natural sentences in many languages and scripts. No Gradio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    language: str  # its tag, for the `lang` attribute
    name: str  # what its speakers call it
    text: str


@dataclass(frozen=True)
class TemplateExample(Example):  # its text has a line for each language
    languages: tuple[str, ...]


@dataclass(frozen=True)
class TextExample(Example):
    task: str
    second: str = ""  # of a pair
    asked: str = ""  # the language of the templates, where it is not the text's own


@dataclass(frozen=True)
class ChoiceExample(Example):  # its text is the prompt
    choices: tuple[str, ...]
    question: str = ""


@dataclass(frozen=True)
class LessonExample(Example):  # its text is the examples, one a line
    labels: tuple[str, ...]
    tests: str
    tested: str  # what the languages of the tests are called


@dataclass(frozen=True)
class PairExample(Example):
    second: str = ""
    way: str = "beside"


# What the embedded model, which is small, can fill as well: set phrases, little words, members of a family.
EXAMPLES = (
    Example("en", "English", "I do not <mask> what you want."),
    Example("fr", "Français", "Il était une <mask> un roi."),
    Example("es", "Español", "Quiero ir a la <mask>."),
    Example("de", "Deutsch", "Ich weiß nicht, was ich <mask> soll."),
    Example("sw", "Kiswahili", "Huyu ni <mask> yangu."),
    Example("tr", "Türkçe", "Bir <mask> sonra eve geldi."),
    Example("vi", "Tiếng Việt", "Tên của bạn là <mask>?"),
    Example("ru", "Русский", "Он хороший <mask>."),
    Example("el", "Ελληνικά", "Τι <mask> αυτό;"),
    Example("ar", "العربية", "هل <mask> أن تأتي معي؟"),
    Example("he", "עברית", "תודה <mask> על העזרה."),
    Example("hi", "हिन्दी", "आपका <mask> क्या है?"),
    Example("th", "ไทย", "กรุงเทพเป็น<mask>หลวงของประเทศไทย"),
    Example("zh", "中文", "这是我的<mask>。"),
    Example("ja", "日本語", "あなたは<mask>が好きですか。"),
    Example("ko", "한국어", "그는 아주 좋은 <mask>이다."),
)


def _template(name: str, **lines: str) -> TemplateExample:
    return TemplateExample("en", name, "\n".join(lines.values()), tuple(lines))


TEMPLATES = (
    _template(
        "What is this?",
        en="What <mask> this?",
        de="Was <mask> das?",
        pt="O que <mask> isto?",
        sw="Hii <mask> nini?",
        vi="Đây <mask> gì?",
        el="Τι <mask> αυτό;",
        ar="ما <mask> هذا؟",
        th="นี่<mask>อะไร",
        zh="这<mask>什么？",
        ja="これは何<mask>か。",
    ),
    _template(
        "A family",
        en="My mother <mask> my father live here.",
        fr="Ma mère <mask> mon père vivent ici.",
        es="Mi madre <mask> mi padre viven aquí.",
        de="Meine Mutter <mask> mein Vater wohnen hier.",
        it="Mia madre <mask> mio padre vivono qui.",
        sw="Mama <mask> baba wanaishi hapa.",
        tr="Annem <mask> babam burada yaşıyor.",
        ru="Моя мать <mask> мой отец живут здесь.",
        el="Η μητέρα μου <mask> ο πατέρας μου ζουν εδώ.",
        hi="मेरी माँ <mask> मेरे पिता यहाँ रहते हैं।",
        zh="我妈妈<mask>爸爸住在这里。",
    ),
    _template(
        "A place",
        en="I want to go to the <mask>.",
        fr="Je veux aller à la <mask>.",
        es="Quiero ir a la <mask>.",
        de="Ich will in die <mask> gehen.",
        sw="Nataka kwenda <mask>.",
        vi="Tôi muốn đi đến <mask>.",
        ar="أريد أن أذهب إلى <mask>.",
        he="אני רוצה ללכת ל<mask>.",
        hi="मैं <mask> जाना चाहता हूँ।",
        th="ฉันอยากไป<mask>",
        zh="我想去<mask>。",
        ko="나는 <mask>에 가고 싶습니다.",
    ),
)

TEXTS = (
    TextExample("en", "English", "The government wants to raise taxes before the election.", "topic"),
    TextExample("es", "Español", "Es un hotel muy bonito.", "sentiment"),
    TextExample("fr", "Français", "Le médecin lui a prescrit un médicament contre la fièvre.", "topic"),
    TextExample("de", "Deutsch", "Der Hund schläft auf dem Sofa.", "entailment", "Morgen fahren wir nach Berlin."),
    TextExample("sw", "Kiswahili", "Timu yetu ilishinda mechi kwa mabao mawili.", "topic"),
    TextExample("tr", "Türkçe", "Film çok güzeldi, herkese tavsiye ederim.", "sentiment"),
    TextExample("vi", "Tiếng Việt", "Nhà khoa học phát hiện một hành tinh mới.", "topic"),
    TextExample("ru", "Русский", "Врач дал больному лекарство.", "topic"),
    TextExample("el", "Ελληνικά", "Δεν μου αρέσει αυτή η ταινία.", "sentiment", asked="en"),
    TextExample("ar", "العربية", "الطعام سيئ جدا.", "sentiment"),
    TextExample("hi", "हिन्दी", "खाना बहुत खराब था।", "sentiment"),
    TextExample("th", "ไทย", "โรงแรมนี้แย่มาก", "sentiment", asked="en"),
    TextExample("zh", "中文", "这家酒店很干净，服务也非常好。", "sentiment"),
    TextExample("ja", "日本語", "チームは試合に勝った。", "topic"),
    TextExample("ko", "한국어", "음식이 아주 나빴다.", "sentiment", asked="en"),
)

LESSONS = (
    LessonExample(
        "en",
        "English",
        """food: We ate bread and cheese.
food: She cooked rice and beans.
food: He drinks a cup of tea.
food: The soup is very hot.
food: They bought fruit at the market.
food: I like fish and meat.
food: The children eat apples.
food: She made a cake.
politics: The president spoke with the minister.
politics: The government passed the new law.
politics: The citizens vote on Sunday.
politics: The party won the election.
politics: The parliament voted on the law.
politics: The king visited the president.
politics: The minister left the government.
politics: The country signed a treaty.""",
        ("food", "politics"),
        """food: Comimos pan con queso.
food: Sie kocht Reis und Fisch.
food: Мы едим хлеб и сыр.
food: 我们吃鱼和肉。
politics: El gobierno aprobó una nueva ley.
politics: Der Präsident sprach mit dem Minister.
politics: Президент подписал закон.
politics: 总统会见了部长。""",
        "Español, Deutsch, Русский, 中文",
    ),
    LessonExample(
        "es",
        "Español",
        """animal: El perro duerme en el jardín.
animal: El gato bebe leche.
animal: Un caballo corre por el campo.
animal: Los pájaros cantan en el árbol.
animal: La vaca come hierba.
animal: El pez nada en el agua.
animal: El perro ladra en la calle.
animal: El león vive en África.
política: El presidente habló con el ministro.
política: El gobierno aprobó la nueva ley.
política: Los ciudadanos votan el domingo.
política: El partido ganó las elecciones.
política: El parlamento votó la ley.
política: El rey visitó al presidente.
política: El ministro dejó el gobierno.
política: El país firmó un tratado.""",
        ("animal", "política"),
        """animal: The dog sleeps in the garden.
animal: Die Katze trinkt Milch.
animal: Птицы поют на дереве.
animal: 狗在花园里睡觉。
política: The government passed a new law.
política: Der Präsident sprach mit dem Minister.
política: Президент подписал закон.
política: 总统会见了部长。""",
        "English, Deutsch, Русский, 中文",
    ),
)

CHOICES = (
    ChoiceExample("en", "English", "She was very hungry.", ("She ate a big meal.", "She read a book."), "effect"),
    ChoiceExample(
        "fr",
        "Français",
        "Le petit garçon pleurait.",
        ("Il était tombé par terre.", "Il avait reçu un cadeau."),
        "cause",
    ),
    ChoiceExample(
        "de",
        "Deutsch",
        "Es regnete die ganze Nacht.",
        ("Die Straße war nass.", "Die Straße war trocken."),
        "effect",
    ),
    ChoiceExample("es", "Español", "La niña tenía mucha sed.", ("Bebió agua.", "Leyó un libro."), "effect"),
    ChoiceExample("sw", "Kiswahili", "Mji mkuu wa Kenya ni", ("Nairobi.", "Paris.", "Cairo.")),
    ChoiceExample("tr", "Türkçe", "Adam çok hastaydı.", ("Hastaneye gitti.", "Okula gitti."), "effect"),
    ChoiceExample("vi", "Tiếng Việt", "Anh ấy bị bệnh.", ("Anh ấy đi bệnh viện.", "Anh ấy đi học."), "effect"),
    ChoiceExample("ru", "Русский", "Ребёнок плакал.", ("Ему было больно.", "Ему было весело."), "cause"),
    ChoiceExample("ar", "العربية", "نزل المطر طوال الليل.", ("أصبح الشارع مبللا.", "أصبح الشارع جافا."), "effect"),
    ChoiceExample("hi", "हिन्दी", "उसे भूख लगी थी।", ("उसने रोटी खाई।", "उसने किताब पढ़ी।"), "effect"),
    ChoiceExample("ta", "தமிழ்", "மழை பெய்தது.", ("சாலை நனைந்தது.", "சாலை காய்ந்தது."), "effect"),
    ChoiceExample("th", "ไทย", "เขาหิวน้ำ", ("เขาดื่มน้ำ", "เขานอนหลับ"), "effect"),
    ChoiceExample("zh", "中文", "孩子哭了。", ("他很疼。", "他很高兴。"), "cause"),
    ChoiceExample("ja", "日本語", "彼はお腹が空いていた。", ("彼はパンを食べた。", "彼は本を読んだ。"), "effect"),
)

PAIRS = (
    PairExample("en", "English", "The dog did not cross the street because it was too <mask>."),
    PairExample("de", "English and Deutsch", "The dog sleeps in the garden.", "Der Hund schläft im Garten."),
    PairExample("ar", "العربية", "لم يعبر الكلب الشارع لأنه كان <mask> جدا."),
    PairExample("hi", "हिन्दी", "कुत्ता बगीचे में <mask> रहा है।"),
    PairExample("zh", "中文 and 日本語", "狗在花园里睡觉。", "犬は庭で寝ています。"),
    PairExample("th", "ไทย", "สุนัขนอนหลับอยู่ใน<mask>"),
    PairExample("ru", "Русский and Ελληνικά", "Собака спит в саду.", "Ο σκύλος κοιμάται στον κήπο."),
    PairExample("ko", "한국어 and Türkçe", "고양이가 의자 위에서 자고 있습니다.", "Kedi sandalyenin üzerinde uyuyor."),
    PairExample("sw", "Kiswahili and Español", "Mtoto anasoma kitabu.", "El niño lee un libro."),
    PairExample("he", "עברית", "הכלב ישן ב<mask>."),
    PairExample("en", "One pair", "Where does the dog sleep?", "The dog sleeps in the garden.", "pair"),
)

PARALLEL = (
    Example(
        "en",
        "Six languages",
        "The dog sleeps in the garden.\nDer Hund schläft im Garten.\nСобака спит в саду.\nالكلب ينام في الحديقة.\n"
        "कुत्ता बगीचे में सोता है।\n狗在花园里睡觉。",
    ),
    Example(
        "el",
        "Six more",
        "Ο σκύλος κοιμάται στον κήπο.\nהכלב ישן בגינה.\nকুকুরটি বাগানে ঘুমায়।\n犬は庭で寝ています。\n"
        "개가 정원에서 자고 있습니다.\nMbwa analala bustanini.",
    ),
    Example(
        "fr",
        "English and Français",
        "My brother works in a small hospital.\nMon frère travaille dans un petit hôpital.",
    ),
    Example("en", "Two meanings of bank", "She sat on the bank of the river.\nHe took his money to the bank."),
    Example("th", "ไทย and 日本語", "แม่ของฉันชอบดื่มกาแฟ\n母はコーヒーを飲むのが好きです。"),
    Example("es", "Español, a mask", "Mi hermana vive en una <mask> muy pequeña."),
)
