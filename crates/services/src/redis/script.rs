//! Reads files of commands: one in each line, words as `redis-cli` splits them.

/// The words of a line; none where a quote is open or something stands right after one.
pub(super) fn words(line: &str) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim().as_bytes();
    while !rest.is_empty() {
        let mut word = Vec::new();
        loop {
            match rest {
                [] => break,
                [space, ..] if space.is_ascii_whitespace() => break,
                [quote @ (b'"' | b'\''), after @ ..] => {
                    rest = quoted(*quote, after, &mut word)?;
                    if rest.first().is_some_and(|next| !next.is_ascii_whitespace()) {
                        return None;
                    }
                }
                [byte, after @ ..] => {
                    word.push(*byte);
                    rest = after;
                }
            }
        }
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// Takes the inside of quotes; gives what follows them.
fn quoted<'r>(quote: u8, mut rest: &'r [u8], word: &mut Vec<u8>) -> Option<&'r [u8]> {
    loop {
        match rest {
            [] => return None,
            [byte, after @ ..] if *byte == quote => return Some(after),
            [b'\\', b'x', high, low, after @ ..]
                if quote == b'"' && hex(*high).is_some() && hex(*low).is_some() =>
            {
                word.push(hex(*high)? * 16 + hex(*low)?);
                rest = after;
            }
            [b'\\', byte, after @ ..] if quote == b'"' => {
                word.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest = after;
            }
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_redis_cli_does() {
        for (line, expected) in [
            ("SET a 1", Some(&["SET", "a", "1"][..])),
            ("  set  'a b'  \"c\\\"d\\n\\x41\" ", Some(&["set", "a b", "c\"d\nA"])),
            ("set 'it\\'s' ''", Some(&["set", "it's", ""])),
            ("", Some(&[])),
            ("set \"open", None),
            ("set \"a\"b", None),
            ("set größe 'ü'", Some(&["set", "größe", "ü"])),
        ] {
            let words = words(line);
            let words: Option<Vec<String>> =
                words.map(|words| words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect());
            let expected = expected.map(|words| words.iter().map(ToString::to_string).collect());
            assert_eq!(words, expected, "{line}");
        }
    }
}
