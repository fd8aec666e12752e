//! `msgai dev` as a process of its own, which can be killed.

use std::fs;
use std::io::{BufRead as _, BufReader, Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use zip::write::{SimpleFileOptions, ZipWriter};

const STACK: &str = "\
name: tiny
tables: {}
functions:
  talk: { source: handler.zip, runtime: nodejs22.x, entry: index.handler }
api: { stage: s, routes: { say: talk } }
";

/// Where a stack and its local cloud live.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A fresh one, with a stack file in it.
    pub(crate) fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("stack.yaml"), STACK).unwrap();
        fs::write(dir.join("handler.zip"), handler()).unwrap();
        Self(dir)
    }
}

/// A package of one file.
pub(crate) fn handler() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("index.mjs", options).unwrap();
    let code = "export const handler = async () => ({ statusCode: 200 });\n";
    zip.write_all(code.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

pub(crate) struct Served {
    child: Child,
    pub(crate) endpoint: String,
}

impl Served {
    /// Once it is ready.
    pub(crate) fn start(folder: &Folder) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_msgai"))
            .args(["dev", "--port", "0", "--json"])
            .current_dir(&folder.0)
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.find_map(|line| {
            let object: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_ne!(object["type"], "error", "{object}");
            (object["type"] == "ready").then_some(object)
        });
        let endpoint = ready.expect("dev becomes ready")["endpoint"]
            .as_str()
            .unwrap()
            .to_owned();
        // What it says from now on is not to block it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, endpoint }
    }

    /// SIGKILL: it has no say in it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn end(mut self) {
        self.kill();
    }
}

impl Drop for Served {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
