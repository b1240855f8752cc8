//! Nothing that a client sends makes it panic or run away: mappings, requests, templates, paths, dates in any pieces.

use super::dates::{JavaFormat, Offset};
use super::json_path::JsonPath;
use super::regex::JavaRegex;
use super::template::{Template, World, model};
use super::xml::{Comparison, Element, Rules, XPath};
use super::{Request, WireMock, read_json};
use crate::surroundings::testing;
use proptest::collection::vec;
use proptest::sample::select;
use seam_value::Value;
use std::collections::BTreeMap;

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"request\"",
    "\"response\"",
    "\"headers\"",
    "\"bodyPatterns\"",
    "\"equalTo\"",
    "\"matches\"",
    "\"(a\"",
    "\"matchesJsonPath\"",
    "\"$..a[?(@.b)]\"",
    "\"equalToJson\"",
    "\"{}\"",
    "\"status\"",
    "200",
    "-1e400",
    "null",
    "true",
    "\"url\"",
    "\"/a\"",
    "\"jsonBody\"",
    "\"and\"",
    "\"not\"",
    "\"absent\"",
    "\"before\"",
    "\"now\"",
    "\"equalToXml\"",
    "\"<a/>\"",
    "\"urlPathTemplate\"",
    "\"/{x}/**\"",
    "\"x\"",
];
const TEMPLATE: &[&str] = &[
    "{{",
    "}}",
    "{{{",
    "}}}",
    "#each ",
    "/each",
    "#if ",
    "/if",
    "else",
    "request",
    ".query",
    ".[0]",
    "../",
    "@index",
    "this",
    " ",
    "jsonPath ",
    "request.body",
    "'$.a'",
    "(",
    ")",
    "math ",
    "'/'",
    "-1",
    "0",
    "9e99",
    "as |x y|",
    "now ",
    "format='yyyy'",
    "offset='",
    "1 days'",
    "~",
    "!--",
    "--",
    "range ",
    "substring ",
    "\u{e4}",
    "'",
    "\"",
    "=",
    "stringFormat ",
    "'%5.2f%s%'",
    "numberFormat ",
    "'#,##0.0'",
    "xPath ",
    "'<a/>'",
    "regexExtract ",
    "'(a*)*'",
    "arrayAdd ",
    "(array 1)",
    "parseDate ",
    "wordWrap ",
    "center ",
    "size=9",
];
const PATH: &[&str] = &[
    "$", ".", "..", "a", "b", "[", "]", "*", "?(", "@", ")", "==", "'x'", "1", "-1", ":", ",", "&&", "||",
    "!", "=~", "/x/i", "length()", "in", "['a']", "<", "null", "sum()", "\u{e4}",
];
const XML: &[&str] = &[
    "<",
    ">",
    "a",
    "/",
    "</",
    "<a>",
    "</a>",
    "<b x='1'/>",
    "=",
    "'",
    "\"",
    "&",
    "&amp;",
    "&#x41;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x?>",
    "<!DOCTYPE a [",
    "xmlns:p='u'",
    "p:",
    " ",
    "t",
    "\u{e4}",
];
const DATE: &[&str] = &[
    "y",
    "yyyy",
    "M",
    "MMM",
    "dd",
    "'",
    "T",
    "HH",
    ":",
    "mm",
    "ss",
    "S",
    "SSSSSSSSSSSS",
    "Z",
    "XXX",
    "z",
    "[",
    "]",
    "a",
    "h",
    "E",
    "D",
    " ",
    "G",
    "V",
    "-",
    "\u{e4}",
    "q",
    "b",
];
const TEXT: &[&str] = &[
    "2021",
    "-",
    "06",
    "14",
    "T",
    "12",
    ":",
    "Z",
    "+01:00",
    "Jun",
    "Mon",
    " ",
    "PM",
    "x",
    "\u{e4}",
    "9999999999999999999",
];
const REGEX: &[&str] = &[
    "a", "(", ")", "[", "]", "*", "+", "?", "{2}", "\\d", "\\Q", "\\E", "|", "^", "$", ".", "\\p{L}", "\\",
    "&&", "(?=", "(?i)", "\u{e4}", "-",
];

proptest::proptest! {
    #[test]
    fn no_mapping_makes_it_panic(parts in vec(select(JSON), 0..24)) {
        let wiremock = WireMock::new(testing(), Box::new(|_| Err(String::new())));
        if let Ok(json) = read_json(&parts.concat()) {
            let _ = wiremock.add_mapping(&json);
            let _ = wiremock.import(&json);
            let _ = wiremock.count(&json);
            let _ = wiremock.set_settings(&json);
            let _ = wiremock.snapshot(&json);
            let _ = wiremock.near_misses_of_request(&json);
            wiremock.serve(Request::of_fields(&json));
            wiremock.near_misses();
        }
    }

    #[test]
    fn no_template_makes_it_panic(parts in vec(select(TEMPLATE), 0..20)) {
        let text = parts.concat();
        let surroundings = testing();
        let request = Request::new("POST", "/a/b?q=1&q=2", Vec::new(), b"{\"a\":[1,2]}".to_vec());
        let model = model("id", &request, None, &Value::Null);
        if let Ok(template) = Template::parse(&text) {
            let _ = template.render(&model, World { surroundings: &surroundings, now: (surroundings.now)() });
        }
        // The same inside of one tag, which random pieces seldom make.
        if let Ok(template) = Template::parse(&format!("{{{{{}}}}}", text.replace(['{', '}'], ""))) {
            let _ = template.render(&model, World { surroundings: &surroundings, now: (surroundings.now)() });
        }
    }

    #[test]
    fn no_path_makes_it_panic(parts in vec(select(PATH), 0..16)) {
        let json = seam_value::parse(r#"{"a":[{"b":1},{"b":"x"}],"b":{"a":null}}"#).unwrap();
        for text in [parts.concat(), format!("${}", parts.concat()), format!("$[?(@.{})]", parts.concat())] {
            if let Ok(path) = JsonPath::parse(&text) {
                path.find(&json);
                path.places(&json);
            }
        }
    }

    #[test]
    fn no_xml_makes_it_panic(parts in vec(select(XML), 0..16), question in vec(select(XML), 0..6)) {
        if let Ok(root) = Element::parse(&parts.concat()) {
            Comparison::of(&root, &root, &Rules::default());
            let again = Element::parse(&root.to_pretty());
            assert!(again.is_ok(), "{again:?}");
            for question in ["//*".to_owned(), format!("//{}", question.concat())] {
                if let Ok(path) = XPath::parse(&question, BTreeMap::new()) {
                    let _ = path.find(&root);
                }
            }
        }
    }

    #[test]
    fn no_date_makes_it_panic(pattern in vec(select(DATE), 0..10), text in vec(select(TEXT), 0..10)) {
        let (pattern, text) = (pattern.concat(), text.concat());
        if let Ok(format) = JavaFormat::parse(&pattern) {
            let now = (testing().now)().to_zoned(jiff::tz::TimeZone::UTC);
            for text in [text.clone(), format.format(&now)] {
                if let Some(parsed) = format.read(&text) {
                    parsed.zoned();
                    parsed.local();
                }
            }
        }
        let _ = Offset::parse(&text);
        super::dates::read_moment(&text);
    }

    #[test]
    fn no_expression_makes_it_panic(parts in vec(select(REGEX), 0..12), text in "[a-z\u{e4}]{0,12}") {
        if let Ok(regex) = JavaRegex::parse(&parts.concat()) {
            regex.matches(&text);
            regex.find_all(&text);
        }
    }

    #[test]
    fn no_request_makes_it_panic(target in ".{0,40}", header in ".{0,40}", body in vec(proptest::num::u8::ANY, 0..80)) {
        let headers = [("Host", &header), ("Cookie", &header), ("Content-Type", &header)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.clone())).to_vec();
        Request::new("POST", &target, headers, body.clone()).to_value();
        let parts = vec![("Content-Type".to_owned(), "multipart/form-data; boundary=-".to_owned())];
        Request::new("POST", &target, parts, body).to_value();
    }
}
