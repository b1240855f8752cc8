//! `seam init`: what it makes of usual projects is accepted by `seam check`, and nothing is ever overwritten.

use crate::place::Place;

/// A usual project: its files, and lines that must stand in its `seam.yaml`.
struct Usual {
    files: &'static [(&'static str, &'static str)],
    expect: &'static [&'static str],
}

const USUAL: &[Usual] = &[
    Usual { files: &[], expect: &["    planned: the first program"] },
    Usual {
        files: &[
            ("package.json", r#"{ "name": "@shop/web", "scripts": { "start": "node server.js" } }"#),
            ("server.js", "listen(process.env.PORT); fetch(process.env.ORDERS_URL)"),
            (
                "services/orders/package.json",
                r#"{ "scripts": { "start": "tsc && node ." }, "dependencies": { "pg": "8" } }"#,
            ),
            (
                "services/orders/index.js",
                "process.env.PORT + process.env.DATABASE_URL + process.env.LOG_LEVEL",
            ),
        ],
        expect: &[
            "    run: node server.js",
            "      ORDERS_URL: ${orders.url}",
            "    run: npm start --silent",
            "    dir: services/orders",
            "      DATABASE_URL: ${pg.url}",
            "    # It also reads: LOG_LEVEL",
        ],
    },
    Usual {
        files: &[
            ("Cargo.toml", "[package]\nname = \"shop\"\n[dependencies]\ntokio-postgres = \"1\"\n"),
            ("src/bin/orders.rs", "std::env::var(\"LISTEN\"); std::env::var(\"STOCK_URL\")"),
            ("src/bin/stock.rs", "fn main() {}"),
        ],
        expect: &[
            "prepare: [cargo build -q]",
            "    service: postgres",
            "    run: ./target/debug/orders",
            "      LISTEN: ${self.address}",
            "      STOCK_URL: ${stock.url}",
        ],
    },
    Usual {
        files: &[
            ("Cargo.toml", "[workspace]\nmembers = [\"api\"]\n"),
            ("api/Cargo.toml", "[package]\nname = \"api\"\n"),
            ("api/src/main.rs", "fn main() {}"),
        ],
        expect: &["    run: ./target/debug/api", "      PORT: ${self.port}"],
    },
    Usual {
        files: &[
            ("requirements.txt", "fastapi\nasyncpg==0.29\n"),
            (
                "main.py",
                "import os\nfrom fastapi import FastAPI\nshop = FastAPI()\nos.environ[\"DATABASE_URL\"]\n",
            ),
            (
                "openapi.json",
                r#"{ "openapi": "3.1.0", "paths": { "/books/{id}": { "get": {} }, "/books": { "get": {} } } }"#,
            ),
        ],
        expect: &[
            "    run: python3 -m uvicorn main:shop --host ${self.host} --port ${self.port}",
            "      DATABASE_URL: ${pg.url}",
        ],
    },
    Usual {
        files: &[("manage.py", "")],
        expect: &["    run: python3 manage.py runserver --noreload ${self.address}"],
    },
    Usual {
        files: &[(
            "Procfile",
            "web: gunicorn app:app -b 0.0.0.0:$PORT\nworker: cd jobs && python worker.py\n",
        )],
        expect: &[
            "    run: gunicorn app:app -b 0.0.0.0:${self.port}",
            "    run: sh -c 'cd jobs && python worker.py'",
        ],
    },
    Usual {
        files: &[
            (
                "docker-compose.yml",
                "services:\n  db:\n    image: postgres:16\n    environment: { POSTGRES_DB: shop }\n    \
                 volumes: [ \"./db:/docker-entrypoint-initdb.d:ro\", \"data:/var/lib\" ]\n  \
                 web:\n    build: .\n    environment: [ \"DATABASE_URL=postgres://a:b@db/shop\", \"SMTP_HOST=mail\" ]\n  \
                 mail: { image: mailhog/mailhog }\n  other: { image: acme/thing }\n",
            ),
            ("package.json", r#"{ "scripts": { "start": "node ." } }"#),
            ("db/2.sql", ""),
            ("db/1.sql", ""),
            ("db/readme.txt", ""),
        ],
        expect: &[
            "      shop: { seed: [db/1.sql, db/2.sql] }",
            "      DATABASE_URL: ${db.url}",
            "      SMTP_HOST: ${mail.host}",
        ],
    },
    // Several services of one folder are several components.
    Usual {
        files: &[
            (
                "docker-compose.yml",
                "services:\n  web:\n    build: .\n    environment: { PORT: \"80\" }\n  \
                 worker:\n    build: { context: . }\n    command: [node, worker.js]\n",
            ),
            ("package.json", r#"{ "scripts": { "start": "node ." } }"#),
        ],
        expect: &[
            "  web:   # package.json: its start script",
            "  worker:   # docker-compose.yml: worker",
            "    run: node worker.js",
        ],
    },
    // What cannot be read, or says nothing that we know, does no harm.
    Usual {
        files: &[
            ("package.json", "{ not json"),
            ("Cargo.toml", "\u{0}\u{1}"),
            ("docker-compose.yml", "a: &b 1\nc: *b\n  d"),
            ("openapi.yaml", "- 1"),
            ("Procfile", ":\n: :\n"),
            ("requirements.txt", "==\n"),
        ],
        expect: &["    planned: the first program"],
    },
];

#[test]
fn what_it_writes_is_accepted() {
    for usual in USUAL {
        let place = Place::new();
        for (file, text) in usual.files {
            place.write(file, text);
        }
        let shown = place.seam(&["init", "--print"]).exits(0);
        assert!(!place.path().join("seam.yaml").exists());
        let done = place.seam(&["init"]).exits(0);
        let system = place.read("seam.yaml");
        assert!(shown.out.contains(&system), "{}", shown.out);
        for line in usual.expect {
            assert!(system.lines().any(|one| one == *line), "{line:?} is not in\n{system}\n{}", done.out);
        }
        let check = place.seam(&["check"]).exits(0);
        assert!(check.out.ends_with("fine\n") && check.err.is_empty(), "{}{}", check.out, check.err);
        // A second time nothing is touched.
        let again = place.seam(&["init"]).exits(2);
        assert!(
            again.err.starts_with("error: there is a seam.yaml already; nothing was written"),
            "{}",
            again.err
        );
        assert_eq!(place.read("seam.yaml"), system);
    }
}

#[test]
fn tests_that_are_there_are_left_alone() {
    let place = Place::new();
    place.write("package.json", r#"{ "scripts": { "start": "node server.js" } }"#);
    place.write("tests/mine.txt", "mine");
    place.seam(&["init"]).exits(0);
    assert_eq!(std::fs::read_dir(place.path().join("tests")).unwrap().count(), 1);
}
