//! `seam doctor`: what of the catalogue this machine can run, and from where; starts and fetches nothing.

use crate::commands::Act;
use crate::screen::{Ink, Screen};
use crate::session::{Fetching, runtime};
use clap::Args;
use seam_engine::{Request, plan};
use seam_judge::Exit;
use seam_services::programs::{Requirement, Search};
use seam_services::{Places, SERVICES, Service};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Show which services this machine can run, and from where
#[derive(Args)]
#[command(after_help = "\
Nothing is started, fetched or installed. In a project's folder the services that it needs are marked, and the exit \
code is 2 where one of these can't be had.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    fetching: Fetching,
}

/// What is known of one service.
struct Diagnosis {
    service: &'static str,
    is_there: bool,
    /// `PostgreSQL 15.14`
    what: String,
    /// Where it is, or how it can be had.
    from: String,
}

impl Act for Doctor {
    fn act(self, screen: &mut Screen) -> Exit {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                screen.error(&error, error.hint());
                return Exit::CouldNotRun;
            }
        };
        let places = Places::of_user(|name| std::env::var(name).ok());
        let needed = needed();
        let list: Vec<Diagnosis> =
            SERVICES.iter().map(|service| runtime.block_on(diagnose(*service, &places))).collect();
        let ink = screen.ink();
        screen.say(&services(&list, &needed, ink));
        screen.say(&machine(&places, self.fetching, ink));
        let is_lacking = list.iter().any(|one| !one.is_there && needed.contains(one.service));
        if is_lacking { Exit::CouldNotRun } else { Exit::Passed }
    }
}

async fn diagnose(service: &'static dyn Service, places: &Places) -> Diagnosis {
    let name = service.word().name;
    let Some(program) = service.program() else {
        return Diagnosis { service: name, is_there: true, what: "built in".to_owned(), from: String::new() };
    };
    let search = Search {
        given: None,
        requirement: &Requirement::default(),
        path: &std::env::var("PATH").unwrap_or_default(),
        places,
        fetch: false,
        progress: &(Arc::new(|_| {}) as seam_services::Progress),
    };
    match program.find(&search).await {
        Ok(found) => Diagnosis {
            service: name,
            is_there: true,
            what: format!("{} {}", program.title, found.version),
            from: format!("{} ({})", found.path.display(), found.origin),
        },
        Err(missing) => {
            let unfit = missing.unfit.iter().map(|(path, why)| format!("{}: {why}; ", path.display()));
            Diagnosis {
                service: name,
                is_there: false,
                what: format!("no {} here", program.title),
                from: unfit.collect::<String>() + &missing.hint,
            }
        }
    }
}

/// The services that the project of this folder names; none where there is no project, or one with mistakes.
fn needed() -> BTreeSet<String> {
    let plan = plan(&Request::default()).plan;
    let components = plan.iter().flat_map(|plan| plan.system.components.values());
    components
        .filter(|component| component.declared.origin.value == "service")
        .filter_map(|component| component.declared.subject.as_text().map(str::to_owned))
        .collect()
}

fn services(list: &[Diagnosis], needed: &BTreeSet<String>, ink: Ink) -> String {
    let mut text = format!("{}\n", ink.bold("services"));
    let width =
        |of: fn(&Diagnosis) -> &str| list.iter().map(|one| of(one).chars().count()).max().unwrap_or(0);
    let (name, what) = (width(|one| one.service), width(|one| &one.what));
    for one in list {
        let mark = match (one.is_there, needed.contains(one.service)) {
            (true, _) => ink.green("ok     "),
            (false, true) => ink.red("missing"),
            (false, false) => ink.yellow("missing"),
        };
        let needed = if needed.contains(one.service) { "needed here" } else { "" };
        let notes: Vec<&str> =
            [one.from.as_str(), needed].into_iter().filter(|note| !note.is_empty()).collect();
        let notes = ink.dim(&notes.join(", "));
        let line = format!("  {mark}  {:name$}  {:what$}  {notes}", one.service, one.what);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn machine(places: &Places, fetching: Fetching, ink: Ink) -> String {
    let mut text = format!("\n{}\n", ink.bold("machine"));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let _ = writeln!(
        text,
        "  system      {} on {}, {processors} processors",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or_else(|| "as many as wanted".to_owned(), |limit| limit.to_string());
    let _ = writeln!(text, "  open files  {limit} (each connection on a seam takes two)");
    let _ = writeln!(text, "  cache       {}{}", places.cache.display(), held(&places.cache));
    let fetch = if fetching.offline {
        "off: only programs that are on this machine are used"
    } else {
        "on: a program that is missing is fetched into the cache when it is first needed; SEAM_OFFLINE=1 switches it off"
    };
    let _ = writeln!(text, "  fetching    {fetch}");
    text
}

/// How much a folder holds.
fn held(folder: &Path) -> String {
    fn size(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let sizes = entries.map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        });
        sizes.sum()
    }
    if !folder.is_dir() {
        return " (empty)".to_owned();
    }
    let mebibytes = size(folder) >> 20;
    format!(" ({mebibytes} MiB)")
}
