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
    Example("fr", "Français", "Elle ouvrit la <mask> et entra."),
    Example("es", "Español", "Quiero ir a la <mask>."),
    Example("de", "Deutsch", "Ich habe keine <mask>."),
    Example("sw", "Kiswahili", "Huyu ni <mask> yangu."),
    Example("tr", "Türkçe", "Bu çok güzel bir <mask>."),
    Example("vi", "Tiếng Việt", "Tên của bạn là <mask>?"),
    Example("ru", "Русский", "В то <mask> время он жил в деревне."),
    Example("el", "Ελληνικά", "Τι <mask> αυτό;"),
    Example("ar", "العربية", "هل <mask> أن تأتي معي؟"),
    Example("he", "עברית", "תודה <mask> על העזרה."),
    Example("hi", "हिन्दी", "आपका <mask> क्या है?"),
    Example("th", "ไทย", "ฉันไม่<mask>ว่าคุณต้องการอะไร"),
    Example("zh", "中文", "我不<mask>你想要什么。"),
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
        "Mother and father",
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
        "Somewhere to go",
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
    TextExample("es", "Español", "La comida estaba fría y el camarero fue muy grosero.", "sentiment"),
    TextExample("fr", "Français", "Le médecin lui a prescrit un médicament contre la fièvre.", "topic"),
    TextExample("de", "Deutsch", "Der Hund schläft auf dem Sofa.", "entailment", "Ein Tier liegt auf dem Sofa."),
    TextExample("sw", "Kiswahili", "Timu yetu ilishinda mechi kwa mabao mawili.", "topic"),
    TextExample("tr", "Türkçe", "Film çok güzeldi, herkese tavsiye ederim.", "sentiment"),
    TextExample("vi", "Tiếng Việt", "Quốc hội đã thông qua luật mới về giáo dục.", "topic"),
    TextExample("ru", "Русский", "Наша команда забила три гола и выиграла матч.", "topic"),
    TextExample("el", "Ελληνικά", "Το ξενοδοχείο είναι δίπλα στη θάλασσα και έχει ωραία θέα.", "topic", asked="en"),
    TextExample("ar", "العربية", "ينصح الأطباء بشرب الماء والنوم ثماني ساعات كل ليلة.", "topic"),
    TextExample("hi", "हिन्दी", "यह फ़िल्म बहुत अच्छी थी।", "sentiment"),
    TextExample("th", "ไทย", "นักวิทยาศาสตร์ค้นพบดาวเคราะห์ดวงใหม่", "topic", asked="en"),
    TextExample("zh", "中文", "这家酒店很干净，服务也非常好。", "sentiment"),
    TextExample("ja", "日本語", "この川は国の北から南へ流れている。", "topic"),
    TextExample("ko", "한국어", "이 가수의 새 노래가 큰 인기를 얻고 있다.", "topic", asked="en"),
)

LESSONS = (
    LessonExample(
        "en",
        "English",
        """politics: The parliament voted on the new law yesterday.
politics: The president will meet the prime minister in Paris.
politics: Voters go to the polls on Sunday.
politics: The opposition wants lower taxes.
politics: The minister resigned after the scandal.
politics: The two governments signed a treaty.
politics: The party chose a new leader.
politics: The senate rejected the budget.
health: The doctor gave her medicine for the fever.
health: Vaccines protect children from many diseases.
health: He was taken to hospital with a broken leg.
health: Eating vegetables is good for the heart.
health: The nurse measured his blood pressure.
health: She has had a headache for three days.
health: The patient recovered after the operation.
health: Sleep helps the body to heal.""",
        ("politics", "health"),
        """politics: El presidente se reunirá con el primer ministro.
health: El médico le dio una medicina para la fiebre.
politics: Парламент принял новый закон.
health: Врач измерил ему давление.
politics: استقال الوزير بعد الفضيحة.
health: نُقل إلى المستشفى بساق مكسورة.
politics: 两国政府签署了条约。
health: 病人手术后恢复了健康。
health: डॉक्टर ने उसे बुखार की दवा दी।""",
        "Español, Русский, العربية, 中文, हिन्दी",
    ),
    LessonExample(
        "es",
        "Español",
        """deporte: El equipo ganó la final por dos goles.
deporte: Ella batió el récord mundial de maratón.
deporte: El entrenador cambió a tres jugadores en el descanso.
deporte: Nuestro club ha fichado a un nuevo portero.
comida: Corta la cebolla y fríela en aceite.
comida: A esta sopa le falta sal.
comida: Cenamos arroz con pescado.
comida: Añade dos huevos y una taza de leche.
dinero: El banco bajó los tipos de interés.
dinero: Pagó el alquiler con sus ahorros.
dinero: El precio del petróleo ha vuelto a subir.
dinero: Vendió sus acciones de la empresa.
tiempo: Mañana lloverá todo el día.
tiempo: La nieve cubrió toda la ciudad.
tiempo: El cielo está despejado y brilla el sol.
tiempo: El invierno fue largo y frío.""",
        ("deporte", "comida", "dinero", "tiempo"),
        """deporte: Our team won the match.
comida: Das Brot ist noch warm.
dinero: Inflation is higher than last year.
tiempo: Morgen wird es regnen.
deporte: Takımımız maçı iki golle kazandı.
comida: 我们晚饭吃了米饭和鱼。
dinero: Банк снизил ставки по вкладам.
tiempo: आज बहुत ठंड है।""",
        "English, Deutsch, Türkçe, Русский, 中文, हिन्दी",
    ),
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
    ChoiceExample("de", "Deutsch", "Die Hauptstadt von Italien ist", ("Rom.", "Paris.", "Berlin.", "Wien.")),
    ChoiceExample("es", "Español", "La niña abrió el paraguas.", ("Empezó a llover.", "Salió el sol."), "cause"),
    ChoiceExample("sw", "Kiswahili", "Mji mkuu wa Kenya ni", ("Nairobi.", "Paris.", "Cairo.")),
    ChoiceExample("tr", "Türkçe", "Çocuk çok yorgundu.", ("Hemen uyudu.", "Bütün gece koştu."), "effect"),
    ChoiceExample("vi", "Tiếng Việt", "Tôi quên mang ô.", ("Tôi bị ướt.", "Tôi mua một quyển sách."), "effect"),
    ChoiceExample("ru", "Русский", "Стакан упал на пол.", ("Он разбился.", "Он был полным."), "effect"),
    ChoiceExample("ar", "العربية", "انقطعت الكهرباء في البيت.", ("أشعلت أمي الشموع.", "شاهدنا التلفاز معا."), "effect"),
    ChoiceExample("hi", "हिन्दी", "वह अस्पताल गया।", ("उसे तेज़ बुखार था।", "उसे नई किताब चाहिए थी।"), "cause"),
    ChoiceExample("ta", "தமிழ்", "அவன் மிகவும் பசியாக இருந்தான்.", ("அவன் சோறு சாப்பிட்டான்.", "அவன் கதவை மூடினான்."), "effect"),
    ChoiceExample("th", "ไทย", "เมื่อคืนฝนตกหนัก", ("ถนนเปียก", "ถนนแห้ง"), "effect"),
    ChoiceExample("zh", "中文", "我忘了带钥匙。", ("我进不了家门。", "我做了一顿晚饭。", "我买了一辆新车。"), "effect"),
    ChoiceExample("ja", "日本語", "電車が遅れた。", ("会議に間に合わなかった。", "会議に早く着いた。"), "effect"),
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
