//! `init`: a commented stack file to begin with.

use std::io::Write as _;
use std::process::ExitCode;

use super::Context;
use crate::cli::{Init, TemplateKind};
use crate::error::Error;
use crate::stack::{FILE, Template, stack_name, template};

pub(crate) fn run(context: &Context, args: &Init) -> Result<ExitCode, Error> {
    let cannot = |what: &str, e: std::io::Error| {
        Error::failed(format!("cannot {what} {}: {e}", args.dir.display()))
    };
    std::fs::create_dir_all(&args.dir).map_err(|e| cannot("make", e))?;
    let dir = args.dir.canonicalize().map_err(|e| cannot("find", e))?;
    let folder = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = stack_name(folder.as_deref().unwrap_or_default());
    let kind = match args.template {
        TemplateKind::Direct => Template::Direct,
        TemplateKind::Group => Template::Group,
    };
    let path = match args.dir.as_os_str().to_str() {
        Some("." | "./") => FILE.into(),
        _ => args.dir.join(FILE),
    };
    // Only where there is none: a stack file is the user's work.
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(&path);
    let mut file = made.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::failed(format!("{} is there already", path.display()))
                .hint("remove it first, or name another folder: `msgai init DIR`")
        }
        _ => Error::failed(format!("cannot write {}: {e}", path.display())),
    })?;
    file.write_all(template(kind, &name).as_bytes())
        .map_err(|e| Error::failed(format!("cannot write {}: {e}", path.display())))?;
    if context.global.json {
        context.say_json(serde_json::json!({ "type": "init", "version": 1, "file": path }));
    } else {
        context.say(&format!("wrote {}", path.display()));
        let elsewhere = args.dir.as_os_str() != ".";
        let enter = if elsewhere {
            let dir = args.dir.display().to_string();
            let quote = if dir.contains(|c: char| " ()&;$'".contains(c)) {
                "\""
            } else {
                ""
            };
            format!("`cd {quote}{dir}{quote}`, then ")
        } else {
            String::new()
        };
        context.say(&format!(
            "next: {enter}`msgai dev` runs it on this machine, `msgai diff` shows what a deploy makes"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
