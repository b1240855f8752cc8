//! Texts, as CEL has them: `size contains startsWith endsWith matches`, and a few more.

use super::{Arguments, Function};
use crate::expression::budget::{MAX_ELEMENTS, fits};
use crate::expression::item::{Item, Problem};
use regex::Regex;
use seam_model::{Field, Shape, Word};
use seam_value::Value;

const TEXT: Field = Field::required("text", Shape::Text, "the text");
const PART: Field = Field::required("part", Shape::Text, "what is looked for");

pub(super) const SIZE: Function = Function {
    word: Word {
        fields: &[Field::required("value", Shape::Any, "a text, a list or a map")],
        example: "${size([1, 2, 3])}  # 3\n${'größe'.size()}  # 5",
        ..Word::new("size", "how many characters, elements or keys there are")
    },
    run: |called| match called.item(0)?.as_value() {
        Some(Value::Text(text)) => Ok(text.chars().count().into()),
        Some(Value::List(list)) => Ok(list.len().into()),
        Some(Value::Map(map)) => Ok(map.len().into()),
        _ => Err(called.wrong(0, "a text, a list or a map")),
    },
};

pub(super) const CONTAINS: Function = Function {
    word: Word {
        fields: &[TEXT, PART],
        example: "${'order 17'.contains('17')}  # true",
        ..Word::new("contains", "does a text contain another? (for lists: `x in list`)")
    },
    run: |called| Ok(called.text(0)?.contains(called.text(1)?).into()),
};

pub(super) const STARTS_WITH: Function = Function {
    word: Word {
        fields: &[TEXT, PART],
        example: "${'order 17'.startsWith('order')}  # true",
        ..Word::new("startsWith", "does a text begin with another?")
    },
    run: |called| Ok(called.text(0)?.starts_with(called.text(1)?).into()),
};

pub(super) const ENDS_WITH: Function = Function {
    word: Word {
        fields: &[TEXT, PART],
        example: "${'order 17'.endsWith('17')}  # true",
        ..Word::new("endsWith", "does a text end with another?")
    },
    run: |called| Ok(called.text(0)?.ends_with(called.text(1)?).into()),
};

pub(super) const MATCHES: Function = Function {
    word: Word {
        fields: &[TEXT, Field::required("pattern", Shape::Text, "a regular expression")],
        text: "The pattern may match anywhere; `^` and `$` hold it to the beginning and the end.",
        example: "${'order 17'.matches('[0-9]+$')}  # true",
        ..Word::new("matches", "does a regular expression match somewhere in a text?")
    },
    run: |called| {
        let pattern = called.text(1)?;
        let regex = Regex::new(pattern)
            .map_err(|_| Problem::new(format!("`{pattern}` is no regular expression")).of_argument(1))?;
        Ok(regex.is_match(called.text(0)?).into())
    },
};

pub(super) const LOWER: Function = Function {
    word: Word {
        fields: &[TEXT],
        example: "${'Ann'.lower()}  # \"ann\"",
        ..Word::new("lower", "a text in small letters")
    },
    run: |called| Ok(Item::from(called.text(0)?.to_lowercase())),
};

pub(super) const UPPER: Function = Function {
    word: Word {
        fields: &[TEXT],
        example: "${'Ann'.upper()}  # \"ANN\"",
        ..Word::new("upper", "a text in capital letters")
    },
    run: |called| Ok(Item::from(called.text(0)?.to_uppercase())),
};

pub(super) const TRIM: Function = Function {
    word: Word {
        fields: &[TEXT],
        example: "${' a '.trim()}  # \"a\"",
        ..Word::new("trim", "a text without white space at its ends")
    },
    run: |called| Ok(Item::from(called.text(0)?.trim())),
};

pub(super) const REPLACE: Function = Function {
    word: Word {
        fields: &[TEXT, PART, Field::required("by", Shape::Text, "what stands there instead")],
        example: "${'a-b-c'.replace('-', '+')}  # \"a+b+c\"",
        ..Word::new("replace", "a text with every part replaced")
    },
    run: |called| {
        let (text, part, by) = (called.text(0)?, called.text(1)?, called.text(2)?);
        let n = text.matches(part).count();
        fits(n.checked_mul(by.len()).and_then(|added| added.checked_add(text.len())))?;
        Ok(Item::from(text.replace(part, by)))
    },
};

pub(super) const SPLIT: Function = Function {
    word: Word {
        fields: &[TEXT, Field::required("at", Shape::Text, "what stands between the parts")],
        example: "${'a,b'.split(',')}  # [\"a\",\"b\"]",
        ..Word::new("split", "the parts of a text, as a list")
    },
    run: |called| {
        let parts: Vec<&str> = called.text(0)?.split(called.text(1)?).take(MAX_ELEMENTS + 1).collect();
        if parts.len() > MAX_ELEMENTS {
            return Err(Problem::new(format!("the text has more than {MAX_ELEMENTS} parts")));
        }
        Ok(Item::from(parts))
    },
};

pub(super) const SUBSTRING: Function = Function {
    word: Word {
        fields: &[
            TEXT,
            Field::required("from", Shape::Integer, "the first character, counted from 0"),
            Field::optional("to", Shape::Integer, "the character behind the last; else to the end"),
        ],
        example: "${'order 17'.substring(6)}  # \"17\"\n${'order 17'.substring(0, 5)}  # \"order\"",
        ..Word::new("substring", "a part of a text, counted in characters")
    },
    run: substring,
};

pub(super) const INDEX_OF: Function = Function {
    word: Word {
        fields: &[TEXT, PART],
        example: "${'order 17'.indexOf('17')}  # 6\n${'order 17'.indexOf('x')}  # -1",
        ..Word::new(
            "indexOf",
            "where a part stands in a text, counted in characters; -1 where it is not there",
        )
    },
    run: |called| {
        let text = called.text(0)?;
        let index = text.find(called.text(1)?).map(|at| text[..at].chars().count());
        Ok(index.map_or_else(|| Item::from(-1_i64), Item::from))
    },
};

fn substring<'a>(called: &Arguments<'_, 'a>) -> Result<Item<'a>, Problem> {
    let text = called.text(0)?;
    let n = text.chars().count();
    let bound = |index: usize| {
        let bound = called.integer(index)?;
        usize::try_from(bound).ok().filter(|bound| *bound <= n).ok_or_else(|| {
            Problem::new(format!("the text has {n} characters, {bound} is none of them")).of_argument(index)
        })
    };
    let (from, to) = (bound(1)?, if called.has(2) { bound(2)? } else { n });
    if from > to {
        return Err(Problem::new("the part ends before it begins").of_argument(2));
    }
    Ok(Item::from(text.chars().skip(from).take(to - from).collect::<String>()))
}
