//! Which of the tests are to be run.

use crate::plan::test::PlannedTest;
use seam_event::TestId;
use std::collections::BTreeSet;

/// A choice of tests; the empty one chooses all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only tests whose name, or file and name, contains one of these texts.
    pub names: Vec<String>,
    /// Only tests that have one of these tags.
    pub tags: Vec<String>,
    /// Only these, by id: the failed ones of an earlier run.
    pub ids: Option<BTreeSet<TestId>>,
}

impl Selection {
    /// Does it choose this test?
    pub fn takes(&self, test: &PlannedTest) -> bool {
        let told = &test.told;
        let id = told.id.as_str();
        let by_name = self.names.is_empty()
            || self.names.iter().any(|text| contains(&told.name, text) || contains(id, text));
        let by_tag = self.tags.is_empty() || self.tags.iter().any(|tag| told.tags.contains(tag));
        let by_id = self.ids.as_ref().is_none_or(|ids| ids.contains(&told.id));
        by_name && by_tag && by_id
    }

    /// Does it choose all tests?
    pub fn is_all(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty() && self.ids.is_none()
    }
}

/// Whether a name holds a text, upper and lower case alike.
fn contains(name: &str, text: &str) -> bool {
    name.to_lowercase().contains(&text.to_lowercase())
}
