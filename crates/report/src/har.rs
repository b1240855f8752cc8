//! All HTTP that passed the seams as a HAR archive, for browsers' tools and whatever else reads those.

use crate::{Options, Report};
use seam_event::What;
use seam_history::History;
use seam_judge::Verdict;
use seam_model::Word;

/// The form for tools that show HTTP.
pub(crate) const REPORT: Report = Report {
    word: Word {
        text: "HAR 1.2 with one entry for each HTTP request that passed a seam, in the order in which they began. What HAR has \
               no place for stands under names with an underscore: `_seam`, `_test`, `_error` (why there was no answer), \
               `_answeredBy` (the stub or fault that answered). Secrets are masked. `seam record --from FILE.har` and `stub: \
               FILE.har` read such a file.",
        example: "seam run --report har=traffic.har",
        ..Word::new("har", "an archive of the HTTP that passed, HAR 1.2")
    },
    write,
};

fn write(history: &History, _: &Verdict, _: &Options) -> String {
    let version = match history.plan() {
        Some(What::Plan { version, .. }) => version.as_str(),
        _ => "",
    };
    let mut text = seam_recording::to_har(&history.events, version).to_pretty();
    text.push('\n');
    text
}
