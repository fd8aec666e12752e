//! A folder for one test, with stack files in it and an environment that holds nothing of the machine's.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::write::{SimpleFileOptions, ZipWriter};

pub(crate) const MSGAI: &str = env!("CARGO_BIN_EXE_msgai");

pub(crate) struct Scratch {
    pub(crate) dir: PathBuf,
}

impl Scratch {
    /// A fresh folder of this name, with the files of `tests/cmd/<files>` and two zips.
    pub(crate) fn new(name: &str, files: Option<&str>) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("cli")
            .join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        // No stack file above this folder is looked at.
        fs::create_dir(dir.join(".git")).unwrap();
        let scratch = Self { dir };
        if let Some(files) = files {
            let from = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/cmd")
                .join(files);
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), scratch.dir.join(entry.file_name())).unwrap();
            }
            scratch.zip(
                "handler.zip",
                "index.mjs",
                b"export const handler = async () => ({ statusCode: 200 });\n",
            );
            scratch.zip("other-machine.zip", "bootstrap", &riscv());
        }
        scratch
    }

    fn zip(&self, name: &str, member: &str, bytes: &[u8]) {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file(member, options).unwrap();
        zip.write_all(bytes).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        fs::write(self.dir.join(name), bytes).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// `msgai` in this folder, with these words.
    pub(crate) fn msgai(&self, words: &[&str]) -> Command {
        let mut command = Command::new(MSGAI);
        command
            .args(words)
            .current_dir(&self.dir)
            .env_clear()
            .env("HOME", self.dir.join("home"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("COLUMNS", "80");
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.msgai(words))
    }
}

/// What a command has left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// An executable's first bytes, for a processor that no function runs on.
fn riscv() -> Vec<u8> {
    const EM_RISCV: u16 = 243;
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(64, 0);
    header[16..18].copy_from_slice(&2_u16.to_le_bytes());
    header[18..20].copy_from_slice(&EM_RISCV.to_le_bytes());
    header[20..24].copy_from_slice(&1_u32.to_le_bytes());
    header[52..54].copy_from_slice(&64_u16.to_le_bytes());
    header
}
