//! Templates with what WireMock 3.13.2 makes of them.

use super::{Template, World, model};
use crate::surroundings::testing;
use crate::wiremock::request::Request;
use seam_value::parse;

const BODY: &str = r#"{"a":{"b":[1,2.50,{"c":"d"}]},"s":"x<y","d":"2021-06-14T12:13:14Z","e":null}"#;

fn rendered(template: &str) -> String {
    let headers = [
        ("Host", "localhost:18080"),
        ("X-One", "a"),
        ("X-Two", "b"),
        ("Cookie", "k=v; l=w"),
        ("Content-Type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request = Request::new("POST", "/things/7/b%20c?q=1&q=2&r=%3Cx%3E", headers, BODY.into());
    let values = [("id", "7"), ("x", "b%20c")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let parameters = parse(r#"{"p":"v","n":5,"o":{"q":[1,2]}}"#).unwrap();
    let model = model("an-id", &request, Some(values.to_vec()), &parameters);
    let surroundings = testing();
    let world = World { surroundings: &surroundings, now: (surroundings.now)() };
    match Template::parse(template).and_then(|template| template.render(&model, world)) {
        Ok(text) => text,
        Err(wrong) => format!("wrong: {wrong}"),
    }
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
#[test]
fn templates_say_what_wiremock_says() {
    for (template, expect) in [
        ("{{request.body}}|{{{request.body}}}", &format!("{BODY}|{BODY}") as &str),
        (
            "{{request.url}} {{request.path}} {{request.path.id}} {{request.path.x}} {{request.pathSegments.[0]}} {{request.path.[1]}} {{request.path.1}}",
            "/things/7/b%20c?q=1&q=2&r=%3Cx%3E /things/7/b%20c 7 b%20c things 7 7",
        ),
        (
            "{{request.query.q}} {{request.query.q.[1]}} {{request.query.q.1}} {{request.query.r}} {{request.query.nope}}|",
            "1 2 2 <x> |",
        ),
        (
            "{{request.headers.x-one}} {{request.headers.X-Two}} {{request.cookies.k}} {{request.cookies.l.[0]}}",
            "a b v w",
        ),
        (
            "{{request.method}} {{request.scheme}} {{request.host}} {{request.port}} {{request.baseUrl}}",
            "POST http localhost 18080 http://localhost:18080",
        ),
        (
            "{{parameters.p}} {{parameters.n}} {{parameters.o}} {{parameters.o.q.[1]}} {{parameters.o.q}}",
            "v 5 {q=[1, 2]} 2 [1, 2]",
        ),
        (
            "{{jsonPath request.body '$.a'}} {{jsonPath request.body '$.a.b[1]'}} {{jsonPath request.body '$.s'}} {{jsonPath request.body '$.nope'}}|{{jsonPath request.body '$.nope' default='z'}}|{{jsonPath request.body '$.e'}}|",
            "{\n  \"b\" : [ 1, 2.5, {\n    \"c\" : \"d\"\n  } ]\n} 2.5 x<y |z||",
        ),
        ("{{#each (jsonPath request.body '$.a.b') as |v|}}{{@index}}:{{v}};{{/each}}", "0:1;1:2.5;2:{c=d};"),
        ("{{#each (jsonPath request.body '$.a')}}{{@key}}={{this}}{{/each}}", "b=[1,2.5,{\"c\":\"d\"}]"),
        (
            "{{#if request.query.q}}yes{{else}}no{{/if}} {{#if request.query.z}}yes{{else}}no{{/if}} {{#unless request.query.z}}u{{/unless}}",
            "yes no u",
        ),
        (
            "{{#eq request.method 'POST'}}post{{else}}other{{/eq}} {{eq 1 1}} {{eq 'a' 'b' yes='y' no='n'}} {{#if (eq request.path.id '7')}}seven{{/if}}",
            "other true n seven",
        ),
        (
            "{{gt 2 1}} {{lt 2 1}} {{and true false}} {{or true false}} {{not true}} {{neq 1 2}} {{gte 2 2}}",
            "true false false true false true true",
        ),
        (
            "{{numberFormat 1234.5}} {{numberFormat 1234.5 'currency'}} {{numberFormat 0.25 'percent'}} {{numberFormat 1234.567 '#.#'}} {{isEven 2 'e'}} {{isOdd 2 'o'}}|{{stripes 1 'even' 'odd'}}",
            "1,234.5 \u{a4}1,234.50 25% 1234.6 e |odd",
        ),
        (
            "{{trim '  x '}} {{#trim}}  y  {{/trim}} {{base64 'hello'}} {{base64 'aGVsbG8=' decode=true}} {{base64 'ab' padding=false}} {{urlEncode 'a b&c'}} {{urlEncode 'a%20b' decode=true}}",
            "x y aGVsbG8= hello YWI a+b%26c a b",
        ),
        (
            "{{regexExtract 'abc123' '[0-9]+'}} {{regexExtract 'abc' '[0-9]+' default='none'}} {{regexExtract 'abc' '[0-9]+'}} {{regexExtract 'a1b2' '([a-z])([0-9])' 'parts'}}{{parts.0}}{{parts.1}}{{parts}}",
            "123 none [ERROR: Nothing matched [0-9]+] a1a",
        ),
        ("{{size 'abc'}} {{size request.query.q}} {{size (jsonPath request.body '$.a')}}", "3 2 1"),
        (
            "{{range 1 3}} {{array 1 'b' true}} {{arrayAdd (array 1 2) 3 position='start'}} {{arrayRemove (array 1 2 3)}} {{arrayRemove (array 1 2 3) position=0}} {{arrayJoin ', ' (array 1 2 3)}} {{#arrayJoin '-' (array 'a' 'b')}}<{{this}}>{{/arrayJoin}} {{arrayJoin ',' (array 'a') prefix='[' suffix=']'}} {{array}}",
            "[1, 2, 3] [1, b, true] [3, 1, 2] [1, 2] [2, 3] 1, 2, 3 <a>-<b> [a] []",
        ),
        (
            "{{#parseJson 'x'}}{\"a\":{\"b\":[1,\"z\"]}}{{/parseJson}}{{x.a.b.[1]}} {{x}} {{x.a.b}} {{parseJson '{\"q\":1}' 'y'}}{{y.q}} {{lookup (parseJson '{\"q\":\"w\"}') 'q'}}",
            "z {a={b=[1, z]}} [1, z] 1 w",
        ),
        (
            "{{toJson (array 1 'a')}} {{toJson (parseJson '{\"a\":[1,2]}')}} {{toJson 'x'}} {{formatJson '{\"a\":[1,2]}' format='compact'}}",
            "[ 1, \"a\" ] {\n  \"a\" : [ 1, 2 ]\n} \"x\" {\"a\":[1,2]}",
        ),
        (
            "{{#formatJson}}{\"a\":[1,{\"b\":2}],\"c\":{}}{{/formatJson}}",
            "{\n  \"a\" : [ 1, {\n    \"b\" : 2\n  } ],\n  \"c\" : { }\n}",
        ),
        (
            "{{#formatXml}}<a><b>1</b></a>{{/formatXml}}|{{#formatXml format='compact'}}<a> <b>1</b> </a>{{/formatXml}}",
            "<a>\n  <b>1</b>\n</a>\n|<a><b>1</b></a>",
        ),
        (
            "{{matches '123' '[0-9]+'}} {{#matches 'abc' '[0-9]+'}}x{{/matches}} {{contains 'abc' 'b'}} {{#contains 'abc' 'b'}}c{{/contains}} {{contains (array 'a' 'b') 'b'}} {{contains null 'b'}}",
            "true  true c true false",
        ),
        (
            "{{upper 'abc'}} {{lower 'ABC'}} {{capitalize 'hello world'}} {{capitalizeFirst 'hello'}} {{replace 'a-b-c' '-' '+'}} {{substring 'hello' 1 3}} {{join 'a' 'b' 'c' ', '}} {{abbreviate 'hello world foo' 9}} {{defaultIfEmpty '' 'z'}} {{cut 'a b c' ' '}} {{center 'x' size=5 pad='*'}} {{ljust 'x' size=3 pad='.'}} {{rjust 'x' size=3 pad='.'}} {{slugify 'Joel is a slug'}} {{stripTags '<b>x</b>'}} {{wordWrap 'aa bb cc' 5}} {{yesno true}} {{yesno false yes='ja' no='nein'}} {{stringFormat 'Hello %s %d' 'x' 5}}",
            "ABC abc Hello World Hello a+b+c el a, b, c hello ... z abc **x** x.. ..x joel-is-a-slug x aa bb\ncc yes nein Hello x 5",
        ),
        (
            "{{math 1 '+' 2}} {{math 10 '/' 4}} {{math 10.0 '/' 4}} {{math 7 '%' 4}} {{math '2' '*' 2.5}} {{math 1 '-' 3}} {{math 1 '^' 3}} {{math 2 'x' 3}}",
            "3 3 2.5 3 5.0 -2 [ERROR: ^ is not a valid mathematical operator] 6",
        ),
        (
            "{{val request.query.zz or='def'}} {{val 'x' assign='vv'}}{{vv}} {{val request.query.zz default='d2'}} {{#assign 'asx'}}text{{/assign}}{{asx}}",
            "def x d2 text",
        ),
        (
            "{{jsonMerge '{\"a\":1,\"b\":{\"c\":2}}' '{\"b\":{\"d\":3},\"e\":null}'}} {{jsonMerge '{\"a\":1}' '{\"a\":null}' removeNulls=true}} {{jsonRemove '{\"a\":1,\"b\":[1,2]}' '$.b[0]'}} {{jsonArrayAdd '[1]' '2'}} {{jsonArrayAdd '{\"x\":[1]}' '[2,3]' jsonPath='$.x' flatten=true}} {{jsonArrayAdd '[1,2]' '3' maxItems=2}}",
            "{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":null} {} {\"a\":1,\"b\":[2]} [1,2] {\"x\":[1,2,3]} [2,3]",
        ),
        ("{{jsonSort '[{\"a\":2},{\"a\":1}]' '$[*].a'}}", "[{\"a\":1},{\"a\":2}]"),
        ("{{formData 'a=1&b=x%20y&a=2' 'form' urlDecode=true}}{{form.a}} {{form.a.1}} {{form.b}}", "1 2 x y"),
        (
            "{{date (parseDate '2021-06-14T12:13:14Z') format='yyyy/MM/dd'}} {{date (parseDate '14/06/2021' format='dd/MM/yyyy') offset='3 days'}} {{date (parseDate '2021-06-14T12:13:14Z') offset='-1 months' format='unix'}} {{date (truncateDate (parseDate '2021-06-14T12:13:14Z') 'first day of month')}} {{parseDate '2021-06-14T12:13:14+02:00'}}",
            "2021/06/14 2021-06-17T00:00:00Z 1620994394 2021-06-01T00:00:00Z 2021-06-14T12:13:14+02:00",
        ),
        (
            "{{date (parseDate '2021-06-14T12:13:14Z') timezone='Australia/Sydney' format='yyyy-MM-dd HH:mm:ss Z'}}",
            "2021-06-14 12:13:14 +0000",
        ),
        (
            "{{now}} {{now offset='1 days' format='yyyy-MM-dd' timezone='Australia/Sydney'}}",
            "2026-03-04T05:06:07Z 2026-03-05",
        ),
        (
            "{{xPath '<a><b x=\"1\">t</b></a>' '/a/b/text()'}} {{xPath '<a><b x=\"1\">t</b></a>' '/a/b/@x'}} {{xPath '<a><b x=\"1\">t</b></a>' '/a/b'}} {{xPath '<a/>' '//z'}}| {{soapXPath '<s:Envelope xmlns:s=\"u\"><s:Body><m>1</m></s:Body></s:Envelope>' 'm/text()'}} {{xPath 'x' '//a'}}",
            "t 1 <b x=\"1\">t</b>\n | 1 [ERROR: x is not valid XML]",
        ),
        ("{{#each (xPath '<a><b>1</b><b>2</b></a>' '//b')}}{{this.text}},{{name}};{{/each}}", "1,b;2,b;"),
        ("{{pickRandom 'a'}} {{pickRandom (array 'z')}} {{hostname}}", "a z here"),
        (
            "{{systemValue type='ENVIRONMENT' key='PATH'}} {{systemValue key='wiremock.x' default='d'}}",
            "[ERROR: Access to PATH is denied] d",
        ),
        ("{{#with (parseJson '{\"a\":{\"b\":1}}')}}{{a.b}} {{this.a.b}}{{/with}}", "1 1"),
        (
            "{{#each (array 1 2)}}{{#if @first}}F{{/if}}{{#if @last}}L{{/if}}{{#each (array 'x')}}{{this}}{{../this}}{{@../index}}{{/each}}{{else}}none{{/each}}",
            "Fx10Lx21",
        ),
        ("{{!-- comment --}}a{{! c }}b {{~ upper 'y' ~}} {{#if true}}z{{/if}} {{x", "abYz {{x"),
        ("{{upper 'y' ~}} z", "Y z"),
        // What is given nothing says what is given next; its block does not count.
        (
            "{{upper request.query.nope 'x'}}|{{rjust '' '-' size=9}}|{{#lower 'ABC'}}blk{{/lower}}|{{cut false 'x'}}|",
            "x|-|abc||",
        ),
        (
            "{{toJson (xPath '<r><a b=\"1\">t</a></r>' '/r/a')}}",
            "{\n  \"attributes\" : {\n    \"b\" : \"1\"\n  },\n  \"name\" : \"a\",\n  \"text\" : \"t\"\n}",
        ),
        (
            "{{#trim request.path.id}} [{{this}}] {{/trim}}{{trim request.query.nope}}",
            "wrong: java.lang.NullPointerException: \"context\" is null",
        ),
        ("{{#trim request.path.id}} [{{this}}] {{/trim}}", "[7]"),
        (
            "{{if 1}}|{{unless 1}}|{{#if}}a{{/if}}|{{isOdd 'x'}}|{{isEven 12345678901234567890}}|{{stripes 1}}",
            "||a||even|odd",
        ),
        (
            "{{lookup parameters.o 'q'}}|{{lookup parameters.o 'z'}}|{{lookup parameters.nope 'z'}}",
            "[1, 2]|{q=[1, 2]}|",
        ),
        (
            "{{array 1 request.query.nope 3}}|{{join (array 1 2) 'ignored' '-' prefix='<'}}",
            "[1, null, 3]|<1-2",
        ),
        (
            "{{jsonPath request.body '$..c'}}|{{jsonPath request.body \"$['s','z']\"}}",
            "[null,null,\"d\"]|{\n  \"s\" : \"x<y\"\n}",
        ),
        (
            "{{parseDate '2021-06-14'}}|{{parseDate '2021-06-14T12:13:14+02:00'}}",
            "|2021-06-14T12:13:14+02:00",
        ),
        (
            "{{formatXml '<a><b>'}}|{{formatXml 5}}|{{formatXml 'x' format='y'}}",
            "[ERROR: Input is not valid XML]|[ERROR: formatXml should take a block of XML to format or a single parameter of type String]|[ERROR: formatXml: format [y] should be one of [pretty, compact]]",
        ),
        (
            "{{numberFormat 1234.567 maximumFractionDigits=1 roundingMode='down'}} {{numberFormat 1234.567 groupingUsed=false}} {{numberFormat 1234.567 maximumIntegerDigits=3 minimumFractionDigits=6}} {{numberFormat 5 minimumIntegerDigits=3}}",
            "1,234.5 1234.567 234.567000 005",
        ),
        (
            "{{numberFormat 1234.567 'currency' 'en_US'}} {{numberFormat -1234.567 'currency' 'de_DE'}} {{numberFormat 1234.5 'currency' 'ja_JP'}} {{numberFormat 0.256 'percent' 'de_DE'}}",
            "$1,234.57 -1.234,57\u{a0}€ ￥1,234 26\u{a0}%",
        ),
        (
            "{{numberFormat -1234.5 '#,##0.00;(#,##0.00)'}} {{numberFormat 0.25 '0%'}} {{numberFormat 1.25 maximumFractionDigits=1}} {{numberFormat 1.255 '0.00'}} {{numberFormat 0.5 '.##'}} {{numberFormat 0.5 '#.##'}} {{numberFormat 12345 '#,####'}} {{numberFormat 0}}",
            "(1,234.50) 25% 1.2 1.25 .5 0.5 1,2345 0",
        ),
        (
            "{{numberFormat 1.25 maximumFractionDigits=1 roundingMode='half_up'}} {{numberFormat -1.21 maximumFractionDigits=1 roundingMode='up'}} {{numberFormat 99.96 maximumFractionDigits=1}} {{numberFormat 'x' 'y'}}",
            "1.3 -1.3 100 y",
        ),
        (
            "{{dateFormat (parseDate '2021-06-04T02:03:04Z')}}|{{dateFormat (parseDate '2021-06-04T02:03:04Z') 'full'}}|{{dateFormat (parseDate '2021-06-04T02:03:04Z') 'yyyy-MM-dd HH:mm' tz='Asia/Tokyo'}}|{{dateFormat (parseDate '2021-06-04T02:03:04Z') 'short' time='short'}}",
            "Jun 4, 2021|Friday, June 4, 2021|2021-06-04 11:03|6/4/21, 2:03 AM",
        ),
        // An escape counts behind a tag only.
        ("\\{{request.method}} \\{{x}}", "\\POST {{x}}"),
        ("{{jsonPath 'a=1' '$.a' default='d'}}{{jsonPath ' x ' '$'}}", "dx"),
        (
            "{{jsonPath request.query.r '$'}}{{jsonPath '{\"a\":' '$.a'}}",
            "<x>[ERROR: {\"a\": is not valid JSON]",
        ),
        ("{{nope.x.y}}|{{nohelper 'x'}}", "wrong: could not find helper: 'nohelper'"),
        ("{{#each request.query}}{{@key}}={{this}};{{/each}}", "q=1;r=<x>;"),
        ("{{#each request.headers}}{{@key}},{{/each}}", "Content-Type,Cookie,Host,X-One,X-Two,"),
        (
            "{{randomInt lower=5 upper=6}} {{#if (contains (randomValue type='UUID') '-')}}u{{/if}} {{size (randomValue length=10 type='NUMERIC')}}",
            "5 u 10",
        ),
        (
            "{{request.requestLine.path}} {{request.requestLine.query.q}} {{request.multipart}} {{request.binary}}",
            "/things/7/b%20c 1 false false",
        ),
        (
            "{{jsonPath request.body '$.a.b[?(@.c)]'}} {{jsonPath request.body '$.a.b.length()'}}",
            "[{\"c\":\"d\"}] 3",
        ),
        (
            "{{#each (range 1 3) as |i|}}{{i}}{{/each}} {{lookup request.query 'q'}} {{lookup request.headers 'X-One'}}",
            "123 1 a",
        ),
        ("{{request.id}}", "an-id"),
        ("{{#if a}}1{{else if request.query.q}}2{{else}}3{{/if}}", "2"),
    ] {
        assert_eq!(rendered(template), expect, "{template}");
    }
}

#[test]
fn what_is_no_template_is_told_with_its_place() {
    for (template, expect) in [
        ("a\n{{#if x}}b", "2:"),
        ("{{#if x}}b{{/each}}", "1:"),
        ("{{/if}}", "1:"),
        ("{{x", "1:1"),
        ("{{lookup (x}}", "1:1"),
        ("{{> part}}", "1:1"),
    ] {
        let wrong = Template::parse(template).expect_err(template);
        assert!(wrong.starts_with(expect), "{template}: {wrong}");
    }
    let deep = "{{#if a}}".repeat(10_000);
    assert!(Template::parse(&deep).is_err());
    assert!(Template::parse(&format!("{{{{a {}}}}}", "(a ".repeat(10_000))).is_err());
}
