//! `seam serve`: seams, stubs and the control address without any system, until somebody asks to stop.

use crate::commands::Act;
use crate::screen::Screen;
use crate::served::{StandError, Standing, Stands, address, surroundings};
use crate::session::{Interrupts, SessionError, runtime};
use crate::traffic::{Traffic, is_somebody_elses};
use clap::Args;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use seam_control::{Control, ControlError, Seams, Toxiproxy};
use seam_diag::Diagnostic;
use seam_judge::Exit;
use seam_proxy::{Authority, ProxyError};
use seam_services::Places;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long open connections may take to be closed before we are gone all the same.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// Stand on seams, and serve stubs, without a system
///
/// What listens where is printed first. The control address understands clients of Toxiproxy and of WireMock (`/__admin`),
/// and Seamwork's own API (`GET /seam/openapi.yaml`); every other path is answered from posted mappings.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam serve --control 127.0.0.1:8474
  seam serve --seam 127.0.0.1:5433=127.0.0.1:5432,postgres
  seam serve --seam 127.0.0.1:8081=127.0.0.1:8080 --record traffic.har
  seam serve --stub stubs/paygate.yaml --listen 127.0.0.1:8080
  seam serve --wiremock stubs/wiremock --listen 127.0.0.1:8080
  seam serve --control 127.0.0.1:8474 --toxiproxy-config toxiproxy.json

Ctrl-C ends it.")]
pub(crate) struct Serve {
    /// Where clients control it, on loopback; a free port where nothing is said
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    control: Option<SocketAddr>,
    #[command(flatten)]
    stands: Stands,
    /// Keep what passes the seams, and write it when it ends: as an archive of HTTP where FILE ends with .har, else as
    /// recordings, one for each seam on which anything passed (where these are several, with its name behind FILE's)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// From where toxics and templates draw their chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

/// Who vouches for what is served to those who want TLS, with its file, which goes with this.
struct Vouched {
    authority: Authority,
    file: PathBuf,
}

impl Vouched {
    /// None where no certificate comes about, or there is no room for its file: TLS then passes as bytes.
    fn new() -> Option<Self> {
        let authority = Authority::new(&[]).ok()?;
        let folder = Places::of_user(|name| std::env::var(name).ok()).live;
        std::fs::create_dir_all(&folder).ok()?;
        sweep(&folder);
        let file = folder.join(format!("ca-{}.pem", std::process::id()));
        std::fs::write(&file, authority.certificate()).ok()?;
        Some(Self { authority, file })
    }

    fn line(&self) -> String {
        format!("each also speaks TLS, by the certificate in {}\n", self.file.display())
    }
}

impl Drop for Vouched {
    fn drop(&mut self) {
        // Nobody can do more about it.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Clears away what programs left that were killed.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("ca-")?.strip_suffix(".pem"));
        let process = process.and_then(|process| process.parse::<i32>().ok()).and_then(Pid::from_raw);
        if process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Stand(#[from] StandError),
}

impl From<ProxyError> for ServeError {
    fn from(error: ProxyError) -> Self {
        Self::Stand(error.into())
    }
}

impl From<ControlError> for ServeError {
    fn from(error: ControlError) -> Self {
        Self::Stand(error.into())
    }
}

impl Act for Serve {
    fn act(self, screen: &mut Screen) -> Exit {
        if let Some(path) = self.record.as_ref().filter(|path| is_somebody_elses(path)) {
            let there = Diagnostic::error(format!("{} is there already, and no recording", path.display()));
            screen.diagnostic(&there.hint("`--record` needs a file of its own"));
            return Exit::CouldNotRun;
        }
        match self.carry_out(screen) {
            Ok(exit) => exit,
            Err(ServeError::Stand(StandError::Told)) => Exit::CouldNotRun,
            Err(error) => {
                let hint = match &error {
                    ServeError::Session(error) => error.hint(),
                    ServeError::Stand(error) => error.hint(),
                };
                screen.error(&error, hint);
                Exit::CouldNotRun
            }
        }
    }
}

impl Serve {
    fn carry_out(self, screen: &mut Screen) -> Result<Exit, ServeError> {
        let standing = self.stands.read_stubs(screen)?;
        let runtime = runtime()?;
        let done = runtime.block_on(self.serve(standing, screen));
        // A name that is still being looked up keeps nobody waiting.
        runtime.shutdown_background();
        done
    }

    async fn serve(self, standing: Vec<Standing>, screen: &mut Screen) -> Result<Exit, ServeError> {
        let mut interrupts = Interrupts::listen().map_err(SessionError::from)?;
        let toxiproxy = Arc::new(Toxiproxy::new(self.seed));
        let vouched = Vouched::new();
        let seams = Seams::start(surroundings(self.seed))?;
        let seams = match &vouched {
            Some(vouched) => seams.vouched_for(&vouched.authority),
            None => seams,
        };
        let seams = Arc::new(if self.record.is_some() { seams.keeping_all() } else { seams });
        let (house, manner) = (Arc::clone(&seams) as _, self.stands.manner());
        let control = Control { toxiproxy: Arc::clone(&toxiproxy), house, manner };
        let served = control.serve(self.control.unwrap_or((Ipv4Addr::LOCALHOST, 0).into())).await?;
        let mut failures = seams.failures();
        let stood = self.stands.stand(standing, &seams, &toxiproxy).await?;
        for warning in &stood.warnings {
            screen.diagnostic(&Diagnostic::warning(warning.clone()));
        }
        let tls = vouched.as_ref().filter(|_| !stood.lines.is_empty()).map(Vouched::line).unwrap_or_default();
        screen.say(&format!("control: http://{}\n{}{tls}", served.address(), stood.lines));
        loop {
            tokio::select! {
                // Its sender lives as long as the runtime.
                _ = interrupts.asked.wait_for(|asked| *asked) => break,
                Some(why) = failures.recv() => screen.diagnostic(&Diagnostic::warning(why)),
            }
        }
        let exit = match &self.record {
            Some(path) => Traffic::of(&*seams).await.keep(path, screen),
            None => Exit::Passed,
        };
        let closing = async {
            stood.close().await;
            served.close().await;
        };
        let _ = tokio::time::timeout(CLOSE_WITHIN, closing).await;
        Ok(exit)
    }
}
