//! `seam record --from x.har`: of whom an archive of HTTP is a recording, and what is told where it holds nothing.

use crate::place::Place;

/// What a browser writes: no seams, two hosts.
const PAGE: &str = r#"{"log":{"entries":[
  {"request":{"method":"GET","url":"https://api.test/stock/1","headers":[]},
   "response":{"status":200,"headers":[{"name":"Via","value":"1.1 a\n1.1 b"}],"content":{"text":"{\"left\":3}","mimeType":"application/json"}}},
  {"request":{"method":"GET","url":"https://cdn.test/logo","headers":[]},
   "response":{"status":200,"headers":[],"content":{"text":"aGk=","encoding":"base64","mimeType":"image/png"}}}]}}"#;

/// What we write ourselves: each entry says its seam.
const OWN: &str = r#"{"log":{"entries":[
  {"_seam":"web -> api","request":{"method":"GET","url":"http://api/a","headers":[]},"response":{"status":201,"headers":[],"content":{}}},
  {"_seam":"web -> shop","request":{"method":"GET","url":"http://shop/b","headers":[]},"response":{"status":202,"headers":[],"content":{}}}]}}"#;

fn recordings(place: &Place) -> Vec<String> {
    let folder = std::fs::read_dir(place.path().join("recordings"));
    let mut names: Vec<String> =
        folder.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_archive_is_recorded_as_what_is_asked_for() {
    for (archive, seam, files) in [
        (PAGE, None, &["client-api-test.yaml", "client-cdn-test.yaml"][..]),
        (PAGE, Some("web -> api"), &["web-api.yaml"]),
        (PAGE, Some("client -> api-test"), &["client-api-test.yaml"]),
        (OWN, None, &["web-api.yaml", "web-shop.yaml"]),
        (OWN, Some("web -> shop"), &["web-shop.yaml"]),
    ] {
        let place = Place::new();
        place.write("page.har", archive);
        let mut words = vec!["record", "--from", "page.har"];
        words.extend(seam.iter().flat_map(|seam| ["--seam", *seam]));
        place.seam(&words).exits(0);
        assert_eq!(recordings(&place), files, "{seam:?}");
    }
}

#[test]
fn an_archive_that_holds_nothing_of_it_says_what_it_holds() {
    let place = Place::new();
    place.write("page.har", OWN);
    let done = place.seam(&["record", "--from", "page.har", "--seam", "web -> mail"]).exits(2);
    assert!(done.err.contains("`web -> api`, `web -> shop`"), "{}", done.err);
    assert!(recordings(&place).is_empty());
}
