//! Tests of paths in Jayway's dialect.

use super::{Found, JsonPath};
use seam_value::parse;

const STORE: &str = r#"{"store":{"book":[
  {"category":"reference","author":"Nigel","title":"Sayings","price":8.95},
  {"category":"fiction","author":"Evelyn","title":"Sword","price":12.99,"tags":["a","b"]},
  {"category":"fiction","author":"Herman","title":"Moby","isbn":"0-553","price":8.99},
  {"category":"fiction","author":"J. R. R.","title":"Rings","isbn":"0-395","price":22.99}],
  "bicycle":{"color":"red","price":19.95}},"expensive":10,"none":null,"a b":{"x.y":1},"empty":[]}"#;

fn found(path: &str) -> String {
    let path = JsonPath::parse(path).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
    match path.find(&parse(STORE).unwrap()) {
        Found::Nothing => "nothing".to_owned(),
        Found::One(value) => value.to_string(),
        Found::Many(list) => format!("many {}", seam_value::Value::List(list)),
    }
}

#[test]
fn paths_lead_where_jayway_says() {
    for (path, expect) in [
        ("$.expensive", "10"),
        ("expensive", "10"),
        ("$.none", "null"),
        ("$.nothing", "nothing"),
        ("$.store.book[0].title", "\"Sayings\""),
        ("$.store.book[-1].title", "\"Rings\""),
        ("$['store']['bicycle']['color']", "\"red\""),
        ("$['a b'][\"x.y\"]", "1"),
        ("$.store.book[*].author", r#"many ["Nigel","Evelyn","Herman","J. R. R."]"#),
        ("$..author", r#"many ["Nigel","Evelyn","Herman","J. R. R."]"#),
        ("$.store..price", "many [8.95,12.99,8.99,22.99,19.95]"),
        ("$..book[2].title", r#"many ["Moby"]"#),
        ("$..book[0,1].title", r#"many ["Sayings","Sword"]"#),
        ("$..book[:2].title", r#"many ["Sayings","Sword"]"#),
        ("$..book[1:2].title", r#"many ["Sword"]"#),
        ("$..book[-2:].title", r#"many ["Moby","Rings"]"#),
        ("$..book[?(@.isbn)].title", r#"many ["Moby","Rings"]"#),
        ("$.store.book[?(@.price < 10)].title", r#"many ["Sayings","Moby"]"#),
        ("$..book[?(@.price <= $['expensive'])].title", r#"many ["Sayings","Moby"]"#),
        ("$..book[?(@.author =~ /.*ERMAN/i)].title", r#"many ["Moby"]"#),
        ("$..book[?(@.isbn =~ /(x)*/)].title", r#"many ["Sayings","Sword"]"#),
        ("$.store.bicycle[?(@.color size 3)].price", "many [19.95]"),
        ("$.store[?(@.bicycle =~ /x*/)].bicycle.color", r#"many ["red"]"#),
        ("$.store[?(@.bicycle size 2)].bicycle.color", "many []"),
        ("$..book[?(@.category == 'fiction' && @.price < 10)].title", r#"many ["Moby"]"#),
        ("$..book[?(@.title == 'Moby' || @.title == \"Rings\")].price", "many [8.99,22.99]"),
        ("$..book[?(!(@.isbn))].title", r#"many ["Sayings","Sword"]"#),
        ("$..book[?(@.title in ['Moby', 'X'])].title", r#"many ["Moby"]"#),
        ("$..book[?(@.tags contains 'a')].title", r#"many ["Sword"]"#),
        ("$..book[?(@.tags size 2)].title", r#"many ["Sword"]"#),
        ("$..book[?(@.title nin ['Moby','Sword','Rings'])].title", r#"many ["Sayings"]"#),
        ("$.store.book.length()", "4"),
        ("$..book.length()", "1"),
        ("$.store.book[*].price.max()", "22.99"),
        ("$.store.book[*].price.sum()", "53.92"),
        ("$.store.bicycle.keys()", r#"["color","price"]"#),
        ("$.store.bicycle[?(@.color == 'red')].price", "many [19.95]"),
        ("$.store.bicycle['color','price','none']", r#"{"color":"red","price":19.95}"#),
        ("$.empty[*]", "many []"),
        ("$.store.book[?(@.price > '9')].title", "many []"),
        ("$.store.book[?(@.price == '8.95')].title", r#"many ["Sayings"]"#),
        ("$.store.book[?(@.isbn == null)].title", "many []"),
        ("$.store.bicycle.color.length()", "nothing"),
        ("$", parse(STORE).unwrap().to_string().as_str()),
    ] {
        assert_eq!(found(path), expect, "{path}");
    }
}

#[test]
fn what_is_no_path_is_told() {
    for path in ["", "$.", "$.[", "$.a[", "$['a", "$[?(@.a ==)]", "$.a.nothing()", "$..", "$.a]", "$[?(@.a"] {
        assert!(JsonPath::parse(path).is_err(), "{path}");
    }
    let deep = format!("${}", "[?(@".repeat(1000));
    assert!(JsonPath::parse(&deep).is_err());
}
