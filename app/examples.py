"""What to begin with in each tab: natural sentences in many languages and scripts. No Gradio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    language: str  # its tag, for the `lang` attribute
    name: str  # what its speakers call it
    text: str


@dataclass(frozen=True)
class TextExample(Example):
    task: str
    second: str = ""  # of a pair


@dataclass(frozen=True)
class ChoiceExample(Example):  # its text is the prompt
    choices: tuple[str, ...]
    question: str = ""


@dataclass(frozen=True)
class PairExample(Example):
    second: str = ""
    way: str = "beside"


EXAMPLES = (
    Example("en", "English", "She opened the <mask> and looked outside."),
    Example("fr", "Français", "Paris est la <mask> de la France."),
    Example("es", "Español", "Mi hermana vive en una <mask> muy pequeña."),
    Example("de", "Deutsch", "Im Winter ist es hier sehr <mask>."),
    Example("sw", "Kiswahili", "Watoto wanakwenda <mask> kila siku."),
    Example("tr", "Türkçe", "Bugün hava çok <mask>."),
    Example("vi", "Tiếng Việt", "Hà Nội là thủ đô của <mask>."),
    Example("ru", "Русский", "Летом мы часто ездим на <mask>."),
    Example("el", "Ελληνικά", "Η Αθήνα είναι η <mask> της Ελλάδας."),
    Example("ar", "العربية", "القاهرة هي <mask> مصر."),
    Example("he", "עברית", "אני שותה <mask> כל בוקר."),
    Example("hi", "हिन्दी", "भारत एक बहुत बड़ा <mask> है।"),
    Example("th", "ไทย", "กรุงเทพเป็น<mask>ของประเทศไทย"),
    Example("zh", "中文", "北京是中国的<mask>。"),
    Example("ja", "日本語", "東京は日本の<mask>です。"),
    Example("ko", "한국어", "서울은 대한민국의 <mask>입니다."),
)

TEXTS = (
    TextExample("en", "English", "The government wants to raise taxes before the election.", "topic"),
    TextExample("es", "Español", "La comida estaba fría y el camarero fue muy grosero.", "sentiment"),
    TextExample("ru", "Русский", "Наша команда забила три гола и выиграла матч.", "topic"),
    TextExample("ar", "العربية", "ينصح الأطباء بشرب الماء والنوم ثماني ساعات كل ليلة.", "topic"),
    TextExample("zh", "中文", "这家酒店很干净，服务也非常好。", "sentiment"),
    TextExample("de", "Deutsch", "Der Hund schläft auf dem Sofa.", "entailment", "Ein Tier liegt auf dem Sofa."),
)

CHOICES = (
    ChoiceExample(
        "en",
        "English",
        "It rained all night.",
        ("The streets were wet in the morning.", "The streets were empty in the morning."),
        "effect",
    ),
    ChoiceExample(
        "fr",
        "Français",
        "Le petit garçon pleurait.",
        ("Il était tombé de son vélo.", "Il avait reçu un cadeau."),
        "cause",
    ),
    ChoiceExample(
        "ar",
        "العربية",
        "انقطعت الكهرباء في البيت.",
        ("أشعلت أمي الشموع.", "شاهدنا التلفاز معا."),
        "effect",
    ),
    ChoiceExample(
        "hi",
        "हिन्दी",
        "वह अस्पताल गया।",
        ("उसे तेज़ बुखार था।", "उसे नई किताब चाहिए थी।"),
        "cause",
    ),
    ChoiceExample(
        "zh",
        "中文",
        "我忘了带钥匙。",
        ("我进不了家门。", "我做了一顿晚饭。", "我买了一辆新车。"),
        "effect",
    ),
    ChoiceExample("sw", "Kiswahili", "Mji mkuu wa Kenya ni", ("Nairobi.", "Paris.", "Cairo.")),
)

PAIRS = (
    PairExample("en", "English", "The dog did not cross the street because it was too <mask>."),
    PairExample("de", "English and Deutsch", "The dog sleeps in the garden.", "Der Hund schläft im Garten."),
    PairExample("ar", "العربية", "لم يعبر الكلب الشارع لأنه كان <mask> جدا."),
    PairExample("hi", "हिन्दी", "कुत्ता बगीचे में <mask> रहा है।"),
    PairExample("zh", "中文 and 日本語", "狗在花园里睡觉。", "犬は庭で寝ています。"),
    PairExample("th", "ไทย", "สุนัขนอนหลับอยู่ใน<mask>"),
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
        "fr",
        "English and Français",
        "My brother works in a small hospital.\nMon frère travaille dans un petit hôpital.",
    ),
    Example("en", "Two meanings of bank", "She sat on the bank of the river.\nHe took his money to the bank."),
    Example("th", "ไทย and 日本語", "แม่ของฉันชอบดื่มกาแฟ\n母はコーヒーを飲むのが好きです。"),
    Example("es", "Español, a mask", "Mi hermana vive en una <mask> muy pequeña."),
)
