//! Made-up data that looks real: `fake.name()`, `fake.email()`, `fake.iban()`.
//!
//! The lists are our own: a value must stay the same for a seed from version to version, and nothing here may
//! reach a real person. Mail goes to `example.test`, telephone numbers are the ones kept free for fiction, card
//! numbers are the payment providers' test range, and addresses of machines are those for documentation.

use super::Function;
use crate::chance::Chance;
use crate::expression::item::Item;
use jiff::civil::date;
use seam_model::Word;
use seam_value::{Number, Value};

const FIRST_NAMES: &[&str] = &[
    "Ada", "Ann", "Anton", "Bea", "Bob", "Carla", "Chen", "Clara", "Daniel", "Dora", "Elif", "Emil", "Emma",
    "Eva", "Farid", "Fatima", "Felix", "Finn", "Grace", "Hana", "Hugo", "Ida", "Igor", "Ines", "Ivan",
    "Jana", "Jonas", "José", "Julia", "Kofi", "Lara", "Lea", "Leon", "Linus", "Lucía", "Malik", "Maria",
    "Mateo", "Mia", "Milan", "Nadia", "Nils", "Nora", "Oskar", "Paula", "Pedro", "Ravi", "Rosa", "Ruth",
    "Sami", "Sofia", "Sören", "Tara", "Theo", "Tom", "Uma", "Vera", "Yuki", "Zoë", "Zora",
];
const LAST_NAMES: &[&str] = &[
    "Adams",
    "Aydin",
    "Bauer",
    "Becker",
    "Bianchi",
    "Brown",
    "Carter",
    "Chen",
    "Costa",
    "Díaz",
    "Evans",
    "Fischer",
    "Fontaine",
    "García",
    "Haddad",
    "Hansen",
    "Ito",
    "Jansen",
    "Johnson",
    "Kaya",
    "Keller",
    "Khan",
    "Kim",
    "Klein",
    "Kowalski",
    "Larsen",
    "Lee",
    "Lindgren",
    "Lopez",
    "Marino",
    "Martin",
    "Mensah",
    "Meyer",
    "Moreau",
    "Müller",
    "Murphy",
    "Nakamura",
    "Nguyen",
    "Novak",
    "O'Brien",
    "Okafor",
    "Olsen",
    "Patel",
    "Petrov",
    "Popescu",
    "Rossi",
    "Sato",
    "Schmidt",
    "Silva",
    "Singh",
    "Smith",
    "Sørensen",
    "Tanaka",
    "Taylor",
    "Torres",
    "Weber",
    "Wilson",
    "Wong",
    "Young",
    "Zimmermann",
];
const STREETS: &[&str] = &[
    "Bridge Street",
    "Castle Road",
    "Church Lane",
    "Elm Street",
    "Garden Row",
    "Harbour Street",
    "High Street",
    "King Street",
    "Lake View",
    "Linden Avenue",
    "Maple Drive",
    "Market Square",
    "Mill Lane",
    "Oak Avenue",
    "Park Road",
    "River Walk",
    "School Lane",
    "Station Road",
    "Sunset Drive",
    "Victoria Road",
];
const CITIES: &[&str] = &[
    "Amsterdam",
    "Barcelona",
    "Berlin",
    "Bogotá",
    "Boston",
    "Brno",
    "Cape Town",
    "Chicago",
    "Copenhagen",
    "Denver",
    "Dublin",
    "Geneva",
    "Hamburg",
    "Helsinki",
    "Istanbul",
    "Kyoto",
    "Lagos",
    "Lisbon",
    "London",
    "Lyon",
    "Madrid",
    "Melbourne",
    "Montréal",
    "Munich",
    "Nairobi",
    "Oslo",
    "Porto",
    "Prague",
    "Rome",
    "São Paulo",
    "Seattle",
    "Seoul",
    "Stockholm",
    "Tokyo",
    "Toronto",
    "Turin",
    "Vienna",
    "Warsaw",
    "Wellington",
    "Zürich",
];
const COUNTRIES: &[(&str, &str)] = &[
    ("Argentina", "AR"),
    ("Australia", "AU"),
    ("Austria", "AT"),
    ("Belgium", "BE"),
    ("Brazil", "BR"),
    ("Canada", "CA"),
    ("Chile", "CL"),
    ("China", "CN"),
    ("Denmark", "DK"),
    ("Egypt", "EG"),
    ("Finland", "FI"),
    ("France", "FR"),
    ("Germany", "DE"),
    ("Ghana", "GH"),
    ("Greece", "GR"),
    ("India", "IN"),
    ("Ireland", "IE"),
    ("Italy", "IT"),
    ("Japan", "JP"),
    ("Kenya", "KE"),
    ("Mexico", "MX"),
    ("Netherlands", "NL"),
    ("Nigeria", "NG"),
    ("Norway", "NO"),
    ("Poland", "PL"),
    ("Portugal", "PT"),
    ("South Africa", "ZA"),
    ("Spain", "ES"),
    ("Sweden", "SE"),
    ("Switzerland", "CH"),
    ("Turkey", "TR"),
    ("United Kingdom", "GB"),
    ("United States", "US"),
];
const COMPANY_KINDS: &[&str] = &["Ltd", "Inc", "GmbH", "and Sons", "Group", "Partners", "Works", "Trading"];
const JOBS: &[&str] = &[
    "accountant",
    "architect",
    "baker",
    "carpenter",
    "chemist",
    "cook",
    "designer",
    "editor",
    "electrician",
    "engineer",
    "gardener",
    "journalist",
    "lawyer",
    "librarian",
    "mechanic",
    "nurse",
    "pilot",
    "teacher",
    "translator",
    "vet",
];
const PRODUCTS: &[&str] = &[
    "backpack", "blanket", "book", "bottle", "bowl", "chair", "clock", "coat", "cup", "desk", "guitar",
    "kettle", "keyboard", "lamp", "mirror", "notebook", "pillow", "radio", "shelf", "teapot",
];
const COLORS: &[&str] = &[
    "amber", "black", "blue", "brown", "coral", "cyan", "gold", "green", "grey", "indigo", "ivory", "lime",
    "maroon", "navy", "olive", "orange", "pink", "purple", "red", "silver", "teal", "violet", "white",
    "yellow",
];
const CURRENCIES: &[&str] = &[
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "INR", "JPY", "MXN", "NOK", "PLN", "SEK",
    "USD",
];
const WORDS_LIST: &[&str] = &[
    "about", "again", "always", "apple", "autumn", "bread", "bridge", "bright", "candle", "carry", "circle",
    "cloud", "corner", "dance", "distant", "early", "earth", "evening", "field", "flower", "forest",
    "friend", "garden", "gentle", "glass", "golden", "harbour", "hidden", "honey", "island", "journey",
    "kitchen", "ladder", "letter", "light", "little", "market", "meadow", "memory", "mirror", "morning",
    "mountain", "music", "north", "ocean", "open", "orange", "paper", "pepper", "picture", "quiet", "river",
    "round", "salt", "season", "silver", "simple", "sister", "small", "south", "spring", "stone", "story",
    "summer", "table", "thunder", "travel", "valley", "velvet", "village", "violin", "water", "weather",
    "window", "winter", "yellow",
];

const fn fake(name: &'static str, line: &'static str, example: &'static str) -> Word {
    Word { example, ..Word::new(name, line) }
}

type Make = fn(&Chance) -> Value;

macro_rules! fakes {
    ($($constant:ident, $name:literal, $line:literal, $make:expr;)*) => {
        $(pub(super) const $constant: Function = Function {
            word: fake(concat!("fake.", $name), $line, concat!("${fake.", $name, "()}")),
            run: |called| {
                let make: Make = $make;
                Ok(Item::from(make(called.names.chance())))
            },
        };)*
    };
}

fakes! {
    NAME, "name", "a first and a last name", |c| Value::text(format!("{} {}", one(c, FIRST_NAMES), one(c, LAST_NAMES)));
    FIRST_NAME, "first_name", "a first name", |c| one(c, FIRST_NAMES).into();
    LAST_NAME, "last_name", "a last name", |c| one(c, LAST_NAMES).into();
    EMAIL, "email", "an address at example.test, which reaches nobody", |c| Value::text(format!("{}@example.test", account(c)));
    USERNAME, "username", "a name to sign in with", |c| account(c).into();
    PASSWORD, "password", "letters, digits and a sign, 14 in all", |c| Value::text(format!("{}-{}", letters(c, 8), digits(c, 5)));
    PHONE, "phone", "a telephone number kept free for fiction", |c| Value::text(format!("+1{}55501{}", c.between(201, 989), digits(c, 2)));
    STREET, "street", "a street with a number", |c| Value::text(format!("{} {}", c.between(1, 199), one(c, STREETS)));
    CITY, "city", "a city", |c| one(c, CITIES).into();
    ZIP, "zip", "a postal code of five digits", |c| digits(c, 5).into();
    COUNTRY, "country", "a country by its English name", |c| pair(c, COUNTRIES).0.into();
    COUNTRY_CODE, "country_code", "a country by its two letters", |c| pair(c, COUNTRIES).1.into();
    COMPANY, "company", "a company", |c| Value::text(format!("{} {}", one(c, LAST_NAMES), one(c, COMPANY_KINDS)));
    JOB, "job", "an occupation", |c| one(c, JOBS).into();
    PRODUCT, "product", "something that a shop sells", |c| Value::text(format!("{} {}", one(c, COLORS), one(c, PRODUCTS)));
    PRICE, "price", "a price with two places, 0.50 to 499.99", |c| {
        let cents = c.between(50, 49_999);
        Number::parse(&format!("{}.{:02}", cents / 100, cents % 100)).map_or(Value::Null, Value::Number)
    };
    CURRENCY, "currency", "a currency by its three letters", |c| one(c, CURRENCIES).into();
    COLOR, "color", "a colour", |c| one(c, COLORS).into();
    WORD, "word", "a word", |c| one(c, WORDS_LIST).into();
    WORDS, "words", "three words", |c| words(c, 3).into();
    SENTENCE, "sentence", "a sentence of six to twelve words", |c| sentence(c).into();
    PARAGRAPH, "paragraph", "four sentences", |c| (0..4).map(|_| sentence(c)).collect::<Vec<_>>().join(" ").into();
    IBAN, "iban", "an account number with right check digits", |c| iban(&digits(c, 18)).into();
    CARD, "card", "a card number of the providers' test range, with a right check digit", |c| card(&format!("424242{}", digits(c, 9))).into();
    ISBN, "isbn", "a book number of 13 digits with a right check digit", |c| isbn(&format!("978{}", digits(c, 9))).into();
    DOMAIN, "domain", "a domain below example.test", |c| Value::text(format!("{}-{}.example.test", one(c, WORDS_LIST), one(c, WORDS_LIST)));
    URL, "url", "an address below example.test", |c| Value::text(format!("https://{}.example.test/{}", one(c, WORDS_LIST), one(c, WORDS_LIST)));
    IPV4, "ipv4", "an address of the network for documentation", |c| Value::text(format!("192.0.2.{}", c.between(1, 254)));
    DATE, "date", "a day from 1950 to 2020", |c| {
        let days = c.between(0, 25_000);
        date(1950, 1, 1).checked_add(jiff::Span::new().days(days)).map_or(Value::Null, |day| day.to_string().into())
    };
}

fn one(chance: &Chance, list: &'static [&'static str]) -> &'static str {
    chance.pick(list).copied().unwrap_or_default()
}

fn pair(chance: &Chance, list: &'static [(&'static str, &'static str)]) -> (&'static str, &'static str) {
    chance.pick(list).copied().unwrap_or_default()
}

fn digits(chance: &Chance, n: usize) -> String {
    (0..n).map(|_| char::from(b'0' + u8::try_from(chance.below(10)).unwrap_or(0))).collect()
}

fn letters(chance: &Chance, n: usize) -> String {
    (0..n).map(|_| char::from(b'a' + u8::try_from(chance.below(26)).unwrap_or(0))).collect()
}

/// `ann.lee.48213`: ASCII, and seldom the same twice.
fn account(chance: &Chance) -> String {
    let plain = |name: &str| -> String {
        let to_ascii = |letter: char| match letter {
            'é' | 'ë' => 'e',
            'í' => 'i',
            'ö' | 'ø' => 'o',
            'ü' => 'u',
            other => other.to_ascii_lowercase(),
        };
        name.chars().map(to_ascii).filter(char::is_ascii_lowercase).collect()
    };
    let (first, last) = (one(chance, FIRST_NAMES), one(chance, LAST_NAMES));
    format!("{}.{}.{}", plain(first), plain(last), digits(chance, 5))
}

fn words(chance: &Chance, n: usize) -> String {
    (0..n).map(|_| one(chance, WORDS_LIST)).collect::<Vec<_>>().join(" ")
}

fn sentence(chance: &Chance) -> String {
    let n = usize::try_from(chance.between(6, 12)).unwrap_or(6);
    let text = words(chance, n);
    let (first, rest) = text.split_at(1);
    format!("{}{rest}.", first.to_ascii_uppercase())
}

/// An account number of the German form: check digits over the 18 others (ISO 13616, modulo 97).
fn iban(account: &str) -> String {
    // D is 13 and E is 14; the check digits count as 00 while they are worked out.
    let rest =
        format!("{account}131400").bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

/// Adds the digit that makes the sum of Luhn end in zero.
fn card(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(digit - b'0') * if index % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// Adds the check digit of an ISBN-13.
fn isbn(digits: &str) -> String {
    let weighted = |(index, digit): (usize, u8)| u32::from(digit - b'0') * if index % 2 == 0 { 1 } else { 3 };
    let sum: u32 = digits.bytes().enumerate().map(weighted).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_right() {
        assert_eq!(iban("370400440532013000"), "DE89370400440532013000");
        assert_eq!(card("424242424242424"), "4242424242424242");
        assert_eq!(isbn("978030640615"), "9780306406157");
    }

    #[test]
    fn nothing_reaches_a_real_person() {
        let chance = Chance::new(3, "");
        for _ in 0..500 {
            let account = account(&chance);
            assert!(
                account
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.')
            );
            assert!(account.split('.').all(|part| !part.is_empty()), "{account}");
        }
    }
}
