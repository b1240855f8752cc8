//! Which faults go with which protocols: what a protocol has no word for is refused when it is read, with the reason.
//!
//! One table of faults; a protocol that is added joins by itself, and has to be named where it lacks something.

use super::live::read_live;
use crate::testing::{Variables, read};
use seam_diag::{Diagnostics, Sources};
use seam_expr::Names;
use seam_manifest::parse;
use seam_wire::PROTOCOLS;
use std::sync::Arc;

/// A fault with what chooses, and the protocols that refuse it, each with words of the reason.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

const TABLE: &[Row] = &[
    ("fault: { latency: 1ms }", &[]),
    ("fault: hang", &[]),
    ("fault: reset", &[]),
    ("fault: reply_lost", &[]),
    ("fault: truncate", &[("tcp", BYTES)]),
    ("fault: garble", &[("tcp", BYTES)]),
    ("fault: duplicate", &[("tcp", BYTES)]),
    ("fault: { mistype: body.total }", &[("tcp", BYTES), ("nats", "nothing but by further messages")]),
    (
        "fault: { mistype: message.body.total }",
        &[("tcp", BYTES), ("mysql", "no messages"), ("smtp", "no messages"), ("smtps", "no messages")],
    ),
];

const BYTES: &str = "of plain bytes nobody knows";

/// What is told of a rule on a seam of this protocol.
fn told(rule: &str, protocol: &'static str) -> String {
    let text = format!("seam: web -> api\n{rule}\n");
    let spoken = [seam_wire::protocol(protocol).expect("a protocol")];
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let file = sources.add("rule.yaml", text.clone());
    let entry = parse(file, &text, &mut found).expect("a rule");
    let names: Arc<dyn Names + Send + Sync> = Arc::new(Variables::of("{}"));
    read_live(&entry, &|_| Ok(spoken.to_vec()), &names, &mut found);
    found.in_order().iter().map(|one| one.title.clone()).collect::<Vec<_>>().join("; ")
}

#[test]
fn each_fault_is_refused_by_the_protocols_that_have_no_word_for_it() {
    for (rule, refused) in TABLE {
        for protocol in PROTOCOLS {
            let name = protocol.name();
            let reason = refused.iter().find(|(other, _)| *other == name).map(|(_, reason)| *reason);
            let told = told(rule, name);
            match reason {
                Some(reason) => assert!(told.contains(reason), "{rule} on {name}: {told:?}"),
                None => assert_eq!(told, "", "{rule} on {name}"),
            }
        }
    }
}

#[test]
fn what_is_chosen_can_be_struck() {
    for (fault, chosen, expected) in [
        (
            "{ reset: before }",
            "reply.status: 201",
            "`{ reset: answered }` strikes what it has answered [reply.status",
        ),
        ("duplicate", "reply.status: 201", "what is answered already can't arrive twice"),
        ("{ mistype: body.total }", "message.event: paid", "no field of a reply [message.event"),
        (
            "{ mistype: message.data.n }",
            "request.path: /x",
            "no field of a message that nobody answers [request.path",
        ),
        ("{ reset: answered }", "reply.status: 201", ""),
        ("{ status: 503 }", "reply.status: 201", ""),
        ("garble", "message.event: paid", ""),
    ] {
        let text = format!("- fault: {fault}\n  seam: orders -> paygate\n  where: {{ {chosen} }}");
        let told = read(&text).err().unwrap_or_default().join("\n");
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{text}: {told}");
    }
}
