"""Sentences in several scripts, of which throw-away vocabularies are made."""

SENTENCES = [
    "The capital of France is Paris and the capital of Spain is Madrid.",
    "La casa es grande y el perro duerme en el jardín.",
    "Der Hund schläft im Garten, und die Katze sitzt auf dem Dach.",
    "Собака спит в саду, а кошка сидит на крыше.",
    "القطة تنام على السطح والكلب في الحديقة.",
    "कुत्ता बगीचे में सोता है।",
    "狗在花园里睡觉，猫坐在屋顶上。",
    "犬は庭で寝ていて、猫は屋根の上にいます。",
    "สุนัขนอนหลับอยู่ในสวน",
    "How many people live in a small house near the old bridge?",
]
