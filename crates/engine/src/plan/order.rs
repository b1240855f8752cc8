//! Who has to be ready before whom.
//!
//! A component starts when those that it refers to are ready. Components in a circle start together, waiting for
//! each other they would never start; and since none of them may be ready without the others, all of them wait for
//! everybody outside to whom one of them refers.

use std::collections::{BTreeMap, BTreeSet};

/// For each component those that must be ready before it starts, out of those that it refers to.
pub(crate) fn waits_for(
    refers_to: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, BTreeSet<String>> {
    let circle = |component: &String, other: &String| {
        other == component || (reaches(refers_to, component, other) && reaches(refers_to, other, component))
    };
    let waits = refers_to.keys().map(|component| {
        let members = refers_to.iter().filter(|(member, _)| circle(component, member));
        let others = members.flat_map(|(_, others)| others);
        (component.clone(), others.filter(|other| !circle(component, other)).cloned().collect())
    });
    waits.collect()
}

/// Does one component refer to another, directly or through others?
fn reaches(refers_to: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(current) = next.pop() {
        for other in refers_to.get(current).into_iter().flatten() {
            if other == to {
                return true;
            }
            if seen.insert(other) {
                next.push(other);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &str)], expect: &[(&str, &[&str])]) {
        let mut refers_to: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            refers_to.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            refers_to.entry((*to).to_owned()).or_default();
        }
        let waits = waits_for(&refers_to);
        for (component, others) in expect {
            let others: BTreeSet<String> = others.iter().map(|other| (*other).to_owned()).collect();
            assert_eq!(waits[*component], others, "{component}");
        }
    }

    #[test]
    fn a_component_waits_for_those_it_refers_to() {
        check(
            &[("orders", "pg"), ("gateway", "orders")],
            &[("gateway", &["orders"]), ("orders", &["pg"]), ("pg", &[])],
        );
    }

    #[test]
    fn in_a_circle_nobody_waits_for_the_others_but_all_wait_for_those_outside() {
        check(
            &[("a", "b"), ("b", "c"), ("c", "a"), ("c", "pg"), ("web", "a"), ("a", "a")],
            &[("a", &["pg"]), ("b", &["pg"]), ("c", &["pg"]), ("web", &["a"])],
        );
    }
}
