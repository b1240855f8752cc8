//! Restoring the state of PostgreSQL under an open pool, after tests that changed 1 and 100 rows, beside the one
//! statement that changes them back.

use super::run::{seam_run, write_project};
use crate::ground::Ground;
use crate::numbers::{median, micros};
use crate::row::Row;
use seam_event::What;
use seam_history::History;
use std::fmt::Write as _;

/// Tests of each sort in one run.
const N_TESTS: usize = 20;

/// Rows that a test changes.
const ROWS: [usize; 2] = [1, 100];

/// Measures it.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let project = ground.fresh_folder("restore");
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let system = format!(
        "system: bench\nquiet: 5ms\ncomponents:\n  pg: {{ service: postgres, databases: {{ shop: {{ seed: [shop.sql] }} }} }}\n  \
         pool:\n    run: ['{own}', part, pool, '${{self.address}}', '${{pg.shop.url}}']\n    ready: tcp\n",
        own = own.display()
    );
    write_project(&project, &system, &tests())?;
    let seed = "create table books (id int primary key, title text, copies int not null);\n\
                insert into books select n, 'book ' || n, 3 from generate_series(1, 10000) n;\n";
    std::fs::write(project.join("shop.sql"), seed).map_err(|error| error.to_string())?;
    let cache = ground.fresh_folder("restore-cache");
    let mut rounds = Vec::new();
    for _ in 0..ground.n_rounds {
        rounds.push(figures(&seam_run(ground, &project, &cache)?.history));
    }
    let of = |figure: &dyn Fn(&Figures) -> f64| median(rounds.iter().map(figure));
    let rows = ROWS.iter().enumerate().map(|(which, n_rows)| {
        let plural = if *n_rows == 1 { "row" } else { "rows" };
        let floor = of(&|round| round.by_hand[which]);
        Row::new(format!("state restored after {n_rows} {plural}"), of(&|round| round.restored[which]), "us")
            .over(floor)
            .at_most(1000.0)
            .note("floor: the statement that changes them back")
    });
    Ok(rows.collect())
}

/// Medians of one run in microseconds, for each number of rows.
struct Figures {
    restored: [f64; 2],
    by_hand: [f64; 2],
}

fn tests() -> String {
    let mut text = String::from("tests:\n");
    for nth in 0..N_TESTS {
        for n_rows in ROWS {
            for way in ["change", "by-hand"] {
                let _ = writeln!(
                    text,
                    "  - name: {way} {n_rows} rows, {nth}\n    steps:\n      - http: POST pool/{way}/{n_rows}\n        \
                     expect: {{ status: 200 }}"
                );
            }
        }
    }
    text
}

/// A state is restored before each test, so what it takes belongs to the test before.
fn figures(history: &History) -> Figures {
    let mut restored = [Vec::new(), Vec::new()];
    let mut by_hand = [Vec::new(), Vec::new()];
    let mut last = String::new();
    for event in &history.events {
        let Some(test) = &event.scope.test else { continue };
        let which = usize::from(test.as_str().contains("100 rows"));
        match &event.what {
            What::State { action, took, .. } if action == "restored" && last.contains("::change ") => {
                restored[usize::from(last.contains("100 rows"))].push(micros(*took));
            }
            What::Interaction(interaction) if interaction.from.is_test() => {
                let took = interaction.reply.get("body").and_then(|body| body.get("micros"));
                by_hand[which].extend(took.and_then(|took| took.to_string().parse::<f64>().ok()));
            }
            What::Test { phase: seam_event::Phase::Ended } => test.as_str().clone_into(&mut last),
            _ => {}
        }
    }
    Figures { restored: restored.map(median), by_hand: by_hand.map(median) }
}
