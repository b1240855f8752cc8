//! `seam up`: the system raised and kept up, with its addresses printed, until somebody asks to stop.

use crate::chosen::{Files, Readable, is_shown};
use crate::commands::Act;
use crate::controlled::Controlled;
use crate::screen::{Screen, chain};
use crate::served::{StandError, Standing, Stands, Stood, address, surroundings};
use crate::session::{Fetching, Interrupts, Said, Session, SessionError, make_room, runtime};
use crate::traffic::keep_run;
use clap::Args;
use seam_control::{BoxFuture, Control, Seams, Toxiproxy};
use seam_diag::Diagnostics;
use seam_engine::{Selection, SystemPlan, Up as Addresses};
use seam_history::Masker;
use seam_judge::Exit;
use seam_report::Progress;
use seam_report::terminal::Page;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raise the system and keep it up until Ctrl-C
///
/// The addresses are those of seams of the test's own, so that what comes in there is kept in .seam/runs as well.
/// They are good as long as this command runs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam up
  seam up shop --profile staging
  seam up --unmasked            with the passwords in the addresses
  seam up --control 127.0.0.1:8474
  seam up --record              what passes, as recordings, when it ends

Ctrl-C takes everything down again.")]
pub(crate) struct Up {
    #[command(flatten)]
    files: Files,
    /// Print passwords in addresses as they are
    #[arg(long)]
    unmasked: bool,
    /// Where clients control seams, stubs and components while the system is up (`/seam/openapi.yaml`; Toxiproxy's and
    /// WireMock's clients are understood, too), on loopback; a free port where nothing is said
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    control: Option<SocketAddr>,
    #[command(flatten)]
    stands: Stands,
    /// Keep what passes between components, and write it when the system is taken down: as an archive of HTTP where
    /// PATH ends with .har, else as recordings in this folder (else `recordings`)
    #[arg(
        long,
        value_name = "PATH",
        num_args = 0..=1,
        default_missing_value = crate::recorded::USUAL_FOLDER
    )]
    record: Option<PathBuf>,
    #[command(flatten)]
    fetching: Fetching,
}

impl Act for Up {
    fn act(self, screen: &mut Screen) -> Exit {
        let read = match self.files.read(Selection::default(), 0, screen) {
            Ok(read) => read,
            Err(exit) => return exit,
        };
        let stubs = match self.stands.read_stubs(screen) {
            Ok(stubs) => stubs,
            Err(error) => {
                if !matches!(error, StandError::Told) {
                    screen.error(&error, error.hint());
                }
                return Exit::CouldNotRun;
            }
        };
        match self.carry_out(read, stubs, screen) {
            Ok(exit) => exit,
            Err(error) => {
                screen.error(&error, error.hint());
                Exit::CouldNotRun
            }
        }
    }
}

impl Up {
    fn carry_out(
        &self,
        mut read: Readable,
        stubs: Vec<Standing>,
        screen: &mut Screen,
    ) -> Result<Exit, SessionError> {
        // None of them is going to be run, and nobody should be told that they were not.
        read.plan.tests.clear();
        let session = Session::open(&read, self.fetching, vec!["up".to_owned()])?;
        let Readable { root, plan, .. } = read;
        let Session { folder, writer, sources, ground, mut ticker, say } = session;
        let runtime = runtime()?;
        let interrupts = Interrupts::listen()?;
        let asked = interrupts.asked.clone();
        let is_up = Arc::new(AtomicBool::new(false));
        let secrets = self.hidden(&plan, writer.masker());
        let title = screen.ink().bold(&format!("{} is up", plan.system.name));
        let raised = {
            let (is_up, system) = (Arc::clone(&is_up), Arc::clone(&plan.system));
            let (control, seed) = (self.control.unwrap_or((Ipv4Addr::LOCALHOST, 0).into()), plan.seed);
            let (stands, masker) = (self.stands.clone(), writer.masker());
            move |up: Addresses| -> seam_engine::Raised {
                Box::pin(async move {
                    let table = table(&up, &system, &secrets);
                    let manner = stands.manner();
                    let toxiproxy = Arc::new(Toxiproxy::new(seed));
                    let (beside, stood) = if stands.is_empty() {
                        (None, Stood::default())
                    } else {
                        let seams = Seams::start(surroundings(seed)).map_err(|error| chain(&error))?;
                        let stood = stands.stand(stubs, &seams, &toxiproxy).await;
                        (Some(Arc::new(seams)), stood.map_err(|error| chain(&error))?)
                    };
                    let house = Arc::new(Controlled { system: up.system, masker, beside });
                    let control_of = Control { toxiproxy, house, manner };
                    let served = control_of.serve(control).await.map_err(|error| chain(&error))?;
                    is_up.store(true, Ordering::Relaxed);
                    let line = format!("control: http://{}", served.address());
                    let lines = &stood.lines;
                    let mut warnings = String::new();
                    for warning in &stood.warnings {
                        let _ = writeln!(warnings, "warning: {warning}");
                    }
                    let _ = say.send(Said::Text(format!(
                        "{title}\n{table}{warnings}{line}\n{lines}Ctrl-C takes it down again\n"
                    )));
                    let closing: BoxFuture<'static, ()> = Box::pin(async move {
                        stood.close().await;
                        served.close().await;
                    });
                    Ok(closing)
                })
            }
        };
        let running = runtime.spawn(async move {
            let ran = seam_engine::up(plan, ground, raised, asked).await;
            let reason = if ran.is_ok() { "done" } else { "the system could not be raised" };
            let ending = tokio::task::spawn_blocking(move || writer.finish(reason)).await;
            (ran, ending)
        });
        let mut progress = Progress::default();
        let page = Page { sources: &sources, run: Some(&folder.id), command: &[], look: screen.look() };
        ticker.follow(screen, &mut progress, &page, &interrupts);
        make_room(&root);
        let ended = runtime.block_on(running);
        // A name that is still being looked up keeps nobody waiting.
        runtime.shutdown_background();
        let Ok((ran, _)) = ended else { return Ok(Exit::CouldNotRun) };
        Ok(match ran {
            Ok(()) if is_up.load(Ordering::Relaxed) => match &self.record {
                Some(path) => keep_run(&folder, &root.join(path), screen),
                None => Exit::Passed,
            },
            Ok(()) => Exit::Interrupted,
            Err(error) => {
                let mut found = Diagnostics::default();
                error.diagnostics().into_iter().for_each(|diagnostic| found.push(diagnostic));
                screen.diagnostics(&found, &sources);
                Exit::CouldNotRun
            }
        })
    }

    /// What may not be seen in addresses.
    fn hidden(&self, plan: &seam_engine::Plan, masker: Masker) -> Hidden {
        let names = plan.system.secrets().map(|(name, _)| format!("«{name}»"));
        Hidden { masker, names: if self.unmasked { Vec::new() } else { names.collect() } }
    }
}

/// Declared secrets. A password that we made up ourselves is none: it is good for this one run, and without it the
/// address would be of no use.
struct Hidden {
    masker: Masker,
    names: Vec<String>,
}

impl Hidden {
    fn address(&self, address: &str) -> String {
        let masked = self.masker.text(address);
        let hides = self.names.iter().any(|name| masked.contains(name));
        if hides { masked.into_owned() } else { address.to_owned() }
    }
}

/// A line for each endpoint.
fn table(up: &Addresses, system: &SystemPlan, hidden: &Hidden) -> String {
    let shown = up.addresses.iter().filter(|(component, endpoint, _)| is_shown(system, component, endpoint));
    let rows = shown.map(|(component, endpoint, address)| {
        let name = if endpoint.is_empty() { component.clone() } else { format!("{component}.{endpoint}") };
        (name, hidden.address(address))
    });
    let rows: Vec<(String, String)> = rows.collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, address) in &rows {
        let _ = writeln!(text, "  {name:width$}  {address}");
    }
    let _ = writeln!(text, "each also speaks TLS, by the certificate in {}", up.authority.display());
    if rows.iter().any(|(_, address)| address.contains('«')) {
        text.push_str("`--unmasked` shows the passwords\n");
    }
    text
}
