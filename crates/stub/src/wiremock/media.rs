//! Media types as the server that carries WireMock spells them.

/// A media type as WireMock's server spells it, where it knows it and it is not spelt so.
pub(crate) fn respelt(value: &str) -> Option<String> {
    const TYPES: &[&str] = &[
        "text/plain",
        "text/html",
        "text/xml",
        "text/json",
        "application/json",
        "application/x-www-form-urlencoded",
    ];
    let (media, charset) = match value.split_once(';') {
        Some((media, charset)) => (media, Some(charset)),
        None => (value, None),
    };
    let media = TYPES.iter().find(|known| known.eq_ignore_ascii_case(media))?;
    let known = match charset {
        None => (*media).to_owned(),
        Some(charset) => {
            let name = charset.strip_prefix(' ').unwrap_or(charset);
            let name = ["charset=UTF-8", "charset=ISO-8859-1"]
                .into_iter()
                .find(|known| known.eq_ignore_ascii_case(name))?;
            format!("{media};{}{name}", if charset.starts_with(' ') { " " } else { "" })
        }
    };
    (known != value).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelt_as_the_server_does() {
        for (sent, known) in [
            ("application/json;charset=utf-8", Some("application/json;charset=UTF-8")),
            ("application/json; charset=utf-8", Some("application/json; charset=UTF-8")),
            ("Text/XML; Charset=iso-8859-1", Some("text/xml; charset=ISO-8859-1")),
            ("APPLICATION/JSON", Some("application/json")),
            ("application/json", None),
            ("application/json;  charset=utf-8", None),
            ("application/vnd.x+json; charset=utf-8", None),
            ("text/plain; charset=us-ascii", None),
        ] {
            assert_eq!(respelt(sent).as_deref(), known, "{sent}");
        }
    }
}
