//! Expressions in tables: what they give, and what they say where they can't.

use super::*;
use crate::testing::{Answers, evaluate as run};
use seam_diag::FileId;

fn place(from: usize, length: usize) -> Span {
    Span { file: FileId(0), start: u32::try_from(from).unwrap(), end: u32::try_from(from + length).unwrap() }
}

fn result() -> Value {
    seam_value::parse(r#"{"status":200,"elapsed":"1234us","body":{"items":[{"sku":"A1","n":2},{"sku":"B2","n":3}],"at":"2026-01-31T11:58:00Z"}}"#)
        .unwrap()
}

#[test]
fn values() {
    for (text, expect) in [
        ("1 + 2 * 3", "7"),
        ("19.5 * 2", "39.0"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("price * 2", "39.80"),
        ("$price * 2", "39.80"),
        ("$package + '!'", "\"small!\""),
        ("7 / 2", "3"),
        ("7 / 2.0", "3.5"),
        ("-price", "-19.90"),
        ("-1.50", "-1.50"),
        ("1.50", "1.50"),
        (".5 + 0", "0.5"),
        ("9007199254740993 + 0", "9007199254740993"),
        ("order.id == 17", "true"),
        ("order.id == 17.0", "true"),
        ("order.items[0].sku", "\"A1\""),
        ("order.items[-1].sku", "\"A1\""),
        ("order['id']", "17"),
        ("order.note == null", "true"),
        ("order.id == null", "false"),
        ("has(order.id) && !has(order.nothing)", "true"),
        ("order.?nothing.orValue('none')", "\"none\""),
        ("order.?items[?5].hasValue()", "false"),
        ("name == 'ann' ? 'yes' : 'no'", "\"yes\""),
        ("name in ['bob', 'ann']", "true"),
        ("'a' in {'a': 1}", "true"),
        ("'n' in name", "true"),
        ("4 in xs", "false"),
        ("xs.exists(x, x > 2) && xs.all(x, x > 0)", "true"),
        ("xs.exists_one(x, x == 2)", "true"),
        ("xs.map(x, x * 2)", "[2,4,6]"),
        ("xs.filter(x, x != 2)", "[1,3]"),
        ("xs.filter(x, x != 2).map(x, {'n': x})", "[{\"n\":1},{\"n\":3}]"),
        ("xs.map(x, xs.map(y, x * y)).size()", "3"),
        ("[1, 'a', null, true, [1.0]]", "[1,\"a\",null,true,[1.0]]"),
        ("{'a': {'b': price}}", "{\"a\":{\"b\":19.90}}"),
        ("'größe: ' + name", "\"größe: ann\""),
        ("r'\\d'", "\"\\\\d\""),
        ("false && nobody == 1", "false"),
        ("true || nobody == 1", "true"),
        ("nobody == 1 || true", "true"),
        ("now()", "\"2026-01-31T12:00:00.25Z\""),
        ("now() - duration('5m')", "\"2026-01-31T11:55:00.25Z\""),
        ("now() > '2026-01-31T12:00:00Z'", "true"),
        ("now() - timestamp('2026-01-31T11:00:00.25Z')", "\"1h\""),
        ("today() + duration('1d')", "\"2026-02-01\""),
        ("today() == '2026-01-31'", "true"),
        ("duration('90s') == duration('1m30s')", "true"),
        ("'250ms' < '1s'", "true"),
        ("[1, 2] + [3]", "[1,2,3]"),
        ("api.url + '/x'", "\"http://127.0.0.1:4000/x\""),
        ("api.url.startsWith('http')", "true"),
        (" stock-import.url ", "\"http://127.0.0.1:4001\""),
        ("size('größe')", "5"),
        ("string(order)", r#""{\"id\":17,\"total\":19.90,\"items\":[{\"sku\":\"A1\"}],\"note\":null}""#),
    ] {
        let value =
            run(text, &Answers::default()).unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.hint));
        assert_eq!(value.to_string(), expect, "{text}");
    }
}

#[test]
fn about_a_result() {
    for text in [
        "status == 200",
        "it.status == status",
        "body.items.map(i, i.n).sum() == 5",
        "body.items.exists(i, i.sku == 'B2' && i.n > 2)",
        "elapsed < '2ms'",
        "elapsed < duration('2ms')",
        "body.at > now() - duration('5m')",
        "$name == 'ann' && name == 'ann'",
    ] {
        let expression = Expression::parse(text, &place).unwrap();
        assert_eq!(expression.holds_about(&result(), &Answers::default()), Ok(true), "{text}");
    }
}

#[test]
fn errors_name_their_part() {
    for (text, part, message, hint) in [
        (
            "1 + (order.id == '17' ? 1 : 2)",
            "order.id == '17'",
            "`==` can't take a number and a text",
            "write `int(…)`, `double(…)` or `string(…)` around one of them",
        ),
        (
            "'order ' + order.id",
            "'order ' + order.id",
            "`+` can't take a text and a number",
            "to join texts, write `string(…)` around the other one",
        ),
        ("1 + order.itms", "order.itms", "`order` has no `itms`", "did you mean `items`?"),
        ("order.items[3].sku", "order.items[3]", "the list has no element 3: it has one", ""),
        ("order.items.sku", "order.items.sku", "a list has no `sku`", "an element is reached by `[0]`"),
        ("1 + nobody", "nobody", "nothing is known as `nobody`", ""),
        ("web.url", "web.url", "nothing is known as `web.url`", ""),
        (
            "no-where.url",
            "no-where.url",
            "nothing is known as `no-where.url`",
            "for a subtraction, write spaces around the minus",
        ),
        ("1 / 0", "1 / 0", "division by zero", ""),
        ("1 in ['1', '2']", "1 in ['1', '2']", "`in` can't take a number and a text", ""),
        ("name && true", "name", "`&&` takes true or false, this is a text", ""),
        ("!name", "name", "`!` takes true or false, this is a text", ""),
        ("xs.all(x, x == 'a')", "x == 'a'", "`==` can't take a number and a text", ""),
        ("round('a')", "'a'", "`round` takes a number here, this is a text", ""),
        ("file('nowhere')", "'nowhere'", "`nowhere` can't be read: there is no such file", ""),
        ("env('NOT_SET')", "'NOT_SET'", "the environment has no `NOT_SET`", ""),
        ("price.map(x, x)", "price", "only lists and maps have elements, this is a number", ""),
        ("duration('5')", "'5'", "`5` is no duration", "write 10s, 1m30s or 250ms"),
        ("jwt({'a': 1})", "jwt({'a': 1})", "the key is missing", "write `jwt(claims, key)`"),
        ("{'a': 1, 'a': 2}", "'a'", "`a` stands twice in this map", ""),
        ("1e200 * 2", "1e200 * 2", "the number has more digits than can be kept exactly (38)", ""),
    ] {
        let error = run(text, &Answers::default()).expect_err(text);
        let at = &text[error.span.start as usize..error.span.end as usize];
        assert_eq!((at, error.message.as_str()), (part, message), "{text}");
        if !hint.is_empty() {
            assert_eq!(error.hint.as_deref(), Some(hint), "{text}");
        }
    }
}

#[test]
fn what_is_no_expression_is_told_when_it_is_read() {
    for (text, part, title, hint) in [
        ("1 +", "", "the expression ends too early", ""),
        ("(1 + 2", "", "`)` is missing here", ""),
        ("a == 'b", "'", "the text has no closing quote", ""),
        ("a b", "b", "`b` was not expected here", ""),
        ("a and b", "and", "`and` was not expected here", "write `&&`"),
        ("a = 1", "=", "`=` was not expected here", "compare with `==`"),
        (
            "items.0.sku",
            ".",
            "`.` was not expected here",
            "inside an expression an index stands in brackets: `[0]`",
        ),
        (
            "package == 'a'",
            "package",
            "`package` is a reserved word in expressions",
            "write `$package` for the variable of that name",
        ),
        ("sise(a) > 1", "sise", "unknown function `sise`", "did you mean `size()`?"),
        ("fake.emial()", "fake.emial", "unknown function `fake.emial`", "did you mean `fake.email()`?"),
        ("a.uuid()", "a.uuid()", "`uuid` takes no argument, not 1", "write `uuid()`"),
        ("b'abc'", "b'abc'", "bytes can't stand in an expression", ""),
        ("  ", "  ", "an expression is missing here", ""),
        ("größe > 1", "öße", "`öße` was not expected here", ""),
        ("x.map(1, 2)", "", "", ""),
    ] {
        let diagnostic = Expression::parse(text, &place).expect_err(text);
        let (span, _) = diagnostic.place.unwrap();
        if title.is_empty() {
            continue;
        }
        assert_eq!(
            (diagnostic.title.as_str(), &text[span.start as usize..span.end as usize]),
            (title, part),
            "{text}"
        );
        if !hint.is_empty() {
            assert_eq!(diagnostic.hint.as_deref(), Some(hint), "{text}");
        }
    }
}

#[test]
fn places_of_calls_and_loops_cover_them() {
    for (text, part) in [
        ("1 + xs.map(x, x + 'a').size()", "x + 'a'"),
        ("1 + size(price) ", "price"),
        ("  xs.exists(x, (x) > 'a')", "x) > 'a'"),
    ] {
        let error = run(text, &Answers::default()).expect_err(text);
        assert_eq!(&text[error.span.start as usize..error.span.end as usize], part, "{text}");
    }
}

#[test]
fn nothing_deep_or_long_exhausts_the_stack() {
    for text in [
        "(".repeat(3_000),
        "[".repeat(30) + &"]".repeat(30),
        "!".repeat(3_000) + "true",
        "-".repeat(3_000) + "1",
        "1".to_owned() + &"+1".repeat(1_900),
        "a".to_owned() + &".b".repeat(1_900),
        "a".to_owned() + &"[0]".repeat(1_200),
        "true?1:".repeat(500) + "2",
        "a".to_owned() + &".f()".repeat(900),
        "x".repeat(100_000),
        "'".repeat(3_999),
    ] {
        if let Ok(expression) = Expression::parse(&text, &place) {
            let _ = expression.evaluate(&Answers::default());
        }
    }
}

#[test]
fn no_value_grows_without_bound() {
    let mut answers = Answers::default();
    answers.values.insert("many", Value::List((0..1_100_i64).map(Value::from).collect()));
    answers.values.insert("long", Value::text("a".repeat(1 << 20)));
    let replaced = ".replace('a', 'aaaaaaaaaaaaaaaa')".repeat(20);
    let (doubled, joined) = (".map(a, [a, a])".repeat(100), ".map(a, [a, a].join())".repeat(80));
    let added = ".map(a, a + a)".repeat(100);
    let (texts, values) = ("the text becomes longer", "the expression makes more than 4000000 values");
    let turns = "the loop goes through more";
    for (text, message) in [
        (format!("'a'{replaced}.size()"), texts),
        (format!("[1]{doubled}.size()"), values),
        (format!("[many]{added}.size()"), values),
        (format!("['abc']{joined}.size()"), values),
        (format!("['abc']{added}.size()"), texts),
        ("long.split('').size()".to_owned(), "the text has more than 1000000 parts"),
        ("many.map(a, many.map(b, b)).size()".to_owned(), turns),
    ] {
        let outcome =
            run(&text, &answers).map(|value| value.to_string().len()).map_err(|error| error.message);
        assert!(outcome.as_ref().is_err_and(|error| error.starts_with(message)), "{outcome:?} {text}");
    }
    for text in
        ["many.all(a, a in many)", "many.all(a, many.size() == 1100)", "many.distinct().size() == 1100"]
    {
        assert_eq!(run(text, &answers).unwrap(), Value::Bool(true), "{text}");
    }
}

#[test]
fn short_expressions_are_read_on_a_small_stack() {
    let act = || {
        for text in [
            "!!!!!",
            "-----",
            "a.b.c",
            "1+1+",
            "f(f(f(",
            "a?b:",
            "(((",
            "[[[",
            "x.map(x, x)",
            "a&&b||c",
            "a.f()",
            "{a:",
            "'a'+",
        ] {
            for end in ["", "1", ")", "]", "1)", "b"] {
                let text = text.repeat(60 / text.len() - 1) + end;
                if let Ok(expression) = Expression::parse(&text, &place) {
                    let _ = expression.evaluate(&Answers::default());
                }
            }
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(act).unwrap().join().unwrap();
}

#[test]
fn a_loop_over_loops_ends() {
    let mut answers = Answers::default();
    answers.values.insert("many", Value::List((0..2_000_i64).map(Value::from).collect()));
    let error = run("many.map(a, many.map(b, many.map(c, 1).size()).size()).size()", &answers).unwrap_err();
    assert_eq!(error.message, "the loop goes through more than 1000000 elements");
    assert_eq!(run("many.map(a, a).size()", &answers).unwrap().to_string(), "2000");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ -~ä]{0,40}") {
        if let Ok(expression) = Expression::parse(&text, &place) {
            let _ = expression.evaluate_about(&result(), &Answers::default());
            expression.names(Way::Result);
        }
    }

    #[test]
    fn no_combination_makes_it_panic(
        parts in proptest::collection::vec(proptest::sample::select(&[
            "order", ".id", "[0]", " + ", " - ", " * ", " / ", " == ", " in ", "(", ")", "'a'", "1", "2.50", "xs",
            ".map(x, x)", ".all(x, x)", "now()", "duration('1h')", "today()", "!", "-", " ? ", " : ", "null",
            "{'a': 1}", "$name", ".?b", ".orValue(1)", "size(", ",", "random(1, 2)", "it", " && ", " || ", "%",
        ][..]), 0..9)
    ) {
        let text = parts.concat();
        if let Ok(expression) = Expression::parse(&text, &place) {
            let _ = expression.evaluate_about(&result(), &Answers::default());
        }
    }
}
