//! The bookstore as its users run it: all its tests pass, and each seeded bug that shows in a plain run or under a single
//! fault fails one.
//!
//! What a bug does is said in `examples/bookstore/README.md`. The tests run one after another: each is a whole system,
//! and what its tests say about time should not depend on another one beside it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs those of the bookstore's tests whose name holds this text, with a bug switched on.
fn run(bug: &str, tests: &str) -> Output {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seam"));
    command.args(["run", "examples/bookstore", "--color", "never"]).current_dir(root).env("BUG", bug);
    if !tests.is_empty() {
        command.args(["--test", tests]);
    }
    command.output().unwrap()
}

/// The lines of a terminal's report that tell what came of tests: `FAIL  cart  Copies of one book add up`.
fn told<'a>(output: &'a str, word: &str) -> Vec<&'a str> {
    output.lines().filter(|line| line.split_whitespace().next() == Some(word)).collect()
}

/// Without the bug these tests pass (as all do), with it this one fails. Gives the whole report.
fn shows(bug: &str, test: &str) -> String {
    let output = run(bug, test);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{bug}: {text}");
    assert!(told(&text, "FAIL").iter().any(|line| line.contains(test)), "{bug}: {text}");
    text
}

/// Whom the report names first, and never the one that the fault struck.
fn blames(report: &str, component: &str, seam: &str) {
    let named: Vec<_> =
        report.lines().filter(|line| line.trim_start().starts_with("likely cause:")).collect();
    let expected = format!("likely cause: {component}, on the seam {seam}");
    assert!(!named.is_empty() && named.iter().all(|line| line.trim() == expected), "{expected}: {report}");
}

#[test]
fn without_a_bug_all_tests_pass() {
    let output = run("", "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told(&text, "PASS").len() > 150, "{text}");
}

#[test]
fn b01_cents_are_lost_on_the_way_through_a_float() {
    shows("B01", "What is shown is what is charged, stored and written [one at 19.99]");
}

#[test]
fn b02_a_mail_loses_what_is_not_ascii() {
    shows("B02", "A title comes through the whole shop as it is [umlauts]");
}

#[test]
fn b03_what_is_held_is_sold_to_another_while_its_payment_takes_a_while() {
    shows("B03", "What is held for a customer who is paying is not for sale");
}

#[test]
fn b05_a_renamed_field_is_read_as_its_default() {
    shows("B05", "Copies of one book add up");
}

#[test]
fn b07_without_its_cache_pricing_has_no_prices() {
    let test = "Without its cache pricing asks the database";
    let text = shows("B07", test);
    // However the cache fails.
    assert!(told(&text, "PASS").is_empty(), "{text}");
    blames(&text, "pricing", "gateway -> pricing");
}

#[test]
fn b08_a_declined_card_is_taken_for_a_captured_one() {
    shows("B08", "A card that is not taken leaves nothing behind [declined]");
}

#[test]
fn b09_a_mail_that_was_refused_is_taken_for_sent() {
    let text = shows(
        "B09",
        "While the mail server is down orders are taken, and mailed once it is back [it breaks off]",
    );
    blames(&text, "notify", "notify -> mail");
}

#[test]
fn b10_an_order_is_repeated_without_its_key() {
    let text =
        shows("B10", "An order whose answer is lost is asked for again under its key, and placed once");
    blames(&text, "gateway", "gateway -> orders");
}

#[test]
fn b11_whoever_is_asked_is_more_patient_than_whoever_asks() {
    let text = shows("B11", "A provider that is merely slow is waited for");
    blames(&text, "gateway", "gateway -> orders");
}

#[test]
fn b16_a_message_that_is_lost_is_not_sent_again() {
    let text =
        shows("B16", "A message to notify that is lost is sent again, and mailed once [before it was read]");
    blames(&text, "orders", "orders -> notify");
}

#[test]
fn b17_copies_stay_held_when_payments_breaks_off() {
    let text = shows(
        "B17",
        "When payments breaks off, neither the money nor the copies are kept [before it has the charge]",
    );
    blames(&text, "orders", "orders -> payments");
}

#[test]
fn b19_a_revoked_token_is_used_for_an_hour() {
    shows("B19", "A token that was revoked between two checkouts is replaced");
}

#[test]
fn b20_the_second_page_of_a_history_is_not_read() {
    shows("B20", "The history shows more than a page of orders");
}
