//! `/orders/{id}`: an address with names in it.

use super::regex::JavaRegex;

/// A template of a path.
#[derive(Clone, Debug)]
pub(crate) struct PathTemplate {
    text: String,
    regex: JavaRegex,
    names: Vec<String>,
}

impl PathTemplate {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut pattern, mut names, mut plain) = (String::new(), Vec::new(), String::new());
        let mut n_wild = 0;
        let mut rest = text;
        let quote = |plain: &mut String, pattern: &mut String| {
            pattern.push_str(&fancy_regex::escape(plain));
            plain.clear();
        };
        while let Some(letter) = rest.chars().next() {
            let name = rest
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
                .filter(|(name, _)| !name.is_empty());
            if let Some((name, after)) = name {
                quote(&mut plain, &mut pattern);
                pattern.push_str("([^/]+)");
                names.push(name.replace(['.', ';', '*'], ""));
                rest = after;
            } else if let Some(after) = rest.strip_prefix("**") {
                quote(&mut plain, &mut pattern);
                pattern.push_str("(.*?)");
                names.push(n_wild.to_string());
                n_wild += 1;
                rest = after;
            } else {
                plain.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
        quote(&mut plain, &mut pattern);
        Ok(Self { text: text.to_owned(), regex: JavaRegex::parse(&pattern)?, names })
    }

    /// Is this path of that form?
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.regex.matches(path)
    }

    /// What stands in a path under the names; none where it is not of that form.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<(String, String)>> {
        let groups = self.regex.groups(path)?;
        let values = groups.into_iter().skip(1).map(Option::unwrap_or_default);
        Some(self.names.iter().cloned().zip(values).collect())
    }

    /// With `_` in place of names, to measure how far off a path is.
    pub(crate) fn without_names(&self) -> String {
        let mut out = String::new();
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find(['{', '*']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some((_, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                out.push('_');
                rest = after;
            } else if let Some(after) = rest.strip_prefix("**") {
                out.push('_');
                rest = after;
            } else {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        out
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_paths() {
        let template = PathTemplate::parse("/orders/{id}/**/x.{kind}").unwrap();
        assert_eq!(
            template.read("/orders/7/a/b/x.json"),
            Some(
                [("id", "7"), ("0", "a/b"), ("kind", "json")]
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .to_vec()
            )
        );
        assert_eq!(template.read("/orders/7/8"), None);
        assert_eq!(template.without_names(), "/orders/_/_/x._");
    }
}
