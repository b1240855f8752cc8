//! Values that were kept on purpose, as files in the project's folder `snapshots`, for the matcher `snapshot`.
//!
//! A named one lies in `snapshots/<name>.json` and is the same for all tests; one without a name belongs to one path
//! of one step of one test. Files are written only in a run that was asked to (`--update-snapshots`), whole or not at
//! all, and with secrets masked: people keep them beside their tests.

use seam_event::{Level, Notice, Scope, What};
use seam_history::{Masker, Recorder};
use seam_matcher::{Offered, SnapshotKey, Snapshots, read_snapshot, snapshot_text};
use seam_value::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How much of a name stands in the name of a file.
const MOST: usize = 60;

/// The snapshots of a project, as one step of one test sees them.
pub(crate) struct StepSnapshots<'a> {
    /// The folder of `seam.yaml`.
    root: &'a Path,
    masker: &'a Masker,
    /// Who hears what was kept; none where nothing is to be kept.
    keeper: Option<&'a Recorder>,
    scope: Scope,
}

impl<'a> StepSnapshots<'a> {
    /// `keeper`: where this run was asked to keep values, who tells that it did.
    pub(crate) fn new(
        root: &'a Path,
        masker: &'a Masker,
        keeper: Option<&'a Recorder>,
        scope: Scope,
    ) -> Self {
        Self { root, masker, keeper, scope }
    }

    /// The file of a key, relative to the project's folder.
    fn file(&self, key: SnapshotKey<'_>) -> PathBuf {
        let folder = Path::new("snapshots");
        match key {
            SnapshotKey::Named(name) => folder.join(format!("{}.json", file_name(name))),
            SnapshotKey::At(path) => {
                let test = self.scope.test.as_ref().map_or("no test", |test| test.as_str());
                let step = self.scope.step.as_deref().unwrap_or_default();
                let place = file_name(&format!("{step} {path}"));
                folder.join(file_name(test)).join(format!("{place}.json"))
            }
        }
    }

    fn write(&self, file: &Path, value: &Value) -> std::io::Result<()> {
        let path = self.root.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(self.root))?;
        // Another test may be reading it: the new text takes the old one's place at once.
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&beside, snapshot_text(value))?;
        std::fs::rename(&beside, &path).inspect_err(|_| drop(std::fs::remove_file(&beside)))
    }
}

impl Snapshots for StepSnapshots<'_> {
    fn kept(&self, key: SnapshotKey<'_>) -> Result<Option<Value>, String> {
        let file = self.file(key);
        match std::fs::read_to_string(self.root.join(&file)) {
            Ok(text) => {
                read_snapshot(&text).map(Some).map_err(|reason| format!("{}: {reason}", file.display()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", file.display())),
        }
    }

    fn offer(&self, key: SnapshotKey<'_>, value: &Value) -> Offered {
        let Some(recorder) = self.keeper else { return Offered::NotAsked };
        let file = self.file(key);
        match self.write(&file, value) {
            Ok(()) => {
                let text = format!("kept a snapshot: {}", file.display());
                recorder.record(self.scope.clone(), What::Notice(Notice::new(Level::Warning, text)));
                Offered::Kept
            }
            Err(error) => Offered::Refused(format!("{}: {error}", file.display())),
        }
    }

    fn shown(&self, value: &Value) -> Value {
        let text = value.to_string();
        let masked = self.masker.text(&text);
        if *masked == text {
            return value.clone();
        }
        // A secret number leaves no JSON behind.
        read_snapshot(&masked).unwrap_or_else(|_| Value::text(masked.into_owned()))
    }
}

/// A name for a file that people can read, and that is another one for every name.
fn file_name(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        if letter.is_alphanumeric() || letter == '.' && !slug.is_empty() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let short: String = slug.chars().take(MOST).collect();
    let short = short.trim_matches(['-', '.']);
    let short = if short.is_empty() { "unnamed" } else { short };
    // What is lost on the way (capitals, signs, length) is in the digest; a hyphen may have been a space.
    let is_whole = !name.contains('-') && short == name.replace(' ', "-");
    if is_whole { short.to_owned() } else { format!("{short}-{:08x}", digest(name)) }
}

/// FNV-1a: the same on every machine and for ever, which the standard library's hashes do not promise.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_event::TestId;
    use seam_history::{RunFolder, Secret, Writer};
    use std::time::Duration;

    #[test]
    fn files_have_names_for_people() {
        for (name, begin) in [
            ("a paid order", "a-paid-order"),
            ("order.v2", "order.v2"),
            ("größe", "größe"),
            ("A paid order", "a-paid-order-"),
            ("../../etc/passwd", "etc-passwd-"),
            ("", "unnamed-811c9dc5"),
            ("..", "unnamed-"),
            ("a-b", "a-b-"),
            ("a\u{0}b", "a-b-"),
        ] {
            let file = file_name(name);
            let is_right = if begin.ends_with('-') { file.starts_with(begin) } else { file == begin };
            assert!(is_right, "{name:?}: {file}");
            assert!(!file.contains(['/', '\\', '\0']) && !file.starts_with('.'), "{file}");
        }
        let long = "x".repeat(1000);
        assert!(file_name(&long).len() < 80);
        assert_ne!(file_name(&long), file_name(&format!("{long}y")));
        assert_ne!(file_name("a b"), file_name("a-b"));
    }

    #[test]
    fn what_was_kept_is_found_again_and_secrets_are_not_in_it() {
        let folder = std::env::temp_dir().join(format!("seam-snapshots-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let run = RunFolder::create(&folder, Duration::from_secs(1), 7).unwrap();
        let secret = Secret { name: "key".to_owned(), value: "s3cret-key".to_owned() };
        let writer = Writer::start(&run, &[secret]).unwrap();
        let (masker, recorder) = (writer.masker(), writer.recorder());
        let at = |step: &str| Scope {
            test: Some(TestId::from("tests/a.seam.yaml::One")),
            attempt: Some(1),
            step: Some(step.to_owned()),
        };
        let asked = StepSnapshots::new(&folder, &masker, Some(&recorder), at("0"));
        let not_asked = StepSnapshots::new(&folder, &masker, None, at("0"));
        let elsewhere = StepSnapshots::new(&folder, &masker, None, at("1"));
        let (named, here) = (SnapshotKey::Named("a paid order"), SnapshotKey::At("body"));
        let value = seam_value::parse(r#"{"total":19.90,"key":"s3cret-key"}"#).unwrap();
        let shown = not_asked.shown(&value);

        assert_eq!(not_asked.kept(named), Ok(None));
        assert_eq!(not_asked.offer(named, &shown), Offered::NotAsked);
        assert_eq!(not_asked.kept(named), Ok(None), "nothing is written unasked");
        for key in [named, here] {
            assert_eq!(asked.offer(key, &shown), Offered::Kept);
            assert_eq!(not_asked.kept(key), Ok(Some(shown.clone())));
        }
        assert_eq!(elsewhere.kept(named), Ok(Some(shown.clone())), "a name is one for all");
        assert_eq!(elsewhere.kept(here), Ok(None), "without a name it belongs to its step");
        let text = std::fs::read_to_string(folder.join("snapshots/a-paid-order.json")).unwrap();
        assert!(text.contains("19.90") && text.contains("«key»") && !text.contains("s3cret"), "{text}");

        std::fs::write(folder.join("snapshots/a-paid-order.json"), "<<<<<<< ours").unwrap();
        let broken = not_asked.kept(named).unwrap_err();
        assert!(broken.starts_with("snapshots/a-paid-order.json: it is no JSON"), "{broken}");
        assert_eq!(asked.offer(named, &Value::Null), Offered::Kept, "and it can be kept anew");
        std::fs::write(folder.join("snapshots/blocked.json"), "").unwrap();
        std::fs::remove_file(folder.join("snapshots/blocked.json")).unwrap();
        std::fs::create_dir(folder.join("snapshots/blocked.json")).unwrap();
        let refused = asked.offer(SnapshotKey::Named("blocked"), &Value::Null);
        assert!(matches!(refused, Offered::Refused(_)), "{refused:?}");
        drop(writer);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
