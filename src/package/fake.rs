//! Small executables for tests, made byte by byte: only what a loader and the check look at.

const HEADER: usize = 64;
const SEGMENT: usize = 56;
const SECTION: usize = 64;

/// What is to be seen in the executable.
pub(super) struct Elf<'a> {
    pub(super) machine: u16,
    pub(super) loader: Option<&'a str>,
    pub(super) versions: &'a [&'a str],
}

/// A 64-bit little-endian executable with a string table and, when versions are given, a version-needs table.
pub(super) fn elf(wanted: &Elf<'_>) -> Vec<u8> {
    let segments = usize::from(wanted.loader.is_some());
    let loader = wanted
        .loader
        .map_or_else(Vec::new, |path| [path.as_bytes(), b"\0"].concat());
    let (strings, names) = string_table(wanted.versions);
    let needs = version_needs(&names);

    let loader_at = HEADER + segments * SEGMENT;
    let strings_at = loader_at + loader.len();
    let needs_at = strings_at + strings.len();
    let sections_at = needs_at + needs.len();
    let sections: u16 = if needs.is_empty() { 2 } else { 3 };

    let mut out = header(wanted.machine, segments, sections_at, sections);
    if segments == 1 {
        // PT_INTERP, readable.
        for word in [3_u32, 4] {
            out.extend(word.to_le_bytes());
        }
        for word in [loader_at, 0, 0, loader.len(), loader.len(), 1] {
            out.extend((word as u64).to_le_bytes());
        }
    }
    out.extend(loader);
    out.extend(&strings);
    out.extend(&needs);
    out.extend([0; SECTION]);
    // SHT_STRTAB, then SHT_GNU_VERNEED, whose names are in section 1.
    out.extend(section(3, strings_at, strings.len(), 0, 0));
    if !needs.is_empty() {
        out.extend(section(0x6fff_fffe, needs_at, needs.len(), 1, 1));
    }
    out
}

/// Drops the section table, as some strippers do.
pub(super) fn forget_sections(elf: &mut [u8]) {
    elf[0x28..0x30].fill(0);
    elf[0x3c..0x40].fill(0);
}

fn header(machine: u16, segments: usize, sections_at: usize, sections: u16) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    // ET_DYN, the machine, EV_CURRENT, the entry point.
    out.extend(3_u16.to_le_bytes());
    out.extend(machine.to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    let segments_at = if segments == 0 { 0 } else { HEADER };
    out.extend((segments_at as u64).to_le_bytes());
    out.extend((sections_at as u64).to_le_bytes());
    out.extend(0_u32.to_le_bytes());
    for half in [HEADER, SEGMENT, segments, SECTION, usize::from(sections), 1] {
        out.extend(u16::try_from(half).expect("small").to_le_bytes());
    }
    out
}

/// The table's bytes, and where in it `libc.so.6` and then each version is.
fn string_table(versions: &[&str]) -> (Vec<u8>, Vec<u32>) {
    let mut table = vec![0];
    let mut places = Vec::new();
    for name in std::iter::once(&"libc.so.6").chain(versions) {
        places.push(u32::try_from(table.len()).expect("small"));
        table.extend(name.as_bytes());
        table.push(0);
    }
    (table, places)
}

fn version_needs(names: &[u32]) -> Vec<u8> {
    let [file, versions @ ..] = names else {
        return Vec::new();
    };
    if versions.is_empty() {
        return Vec::new();
    }
    let count = u16::try_from(versions.len()).expect("few");
    let mut out = Vec::new();
    for half in [1, count] {
        out.extend(half.to_le_bytes());
    }
    for word in [*file, 16, 0] {
        out.extend(word.to_le_bytes());
    }
    for (index, name) in versions.iter().enumerate() {
        let next: u32 = if index + 1 == versions.len() { 0 } else { 16 };
        for word in [0, 0, *name, next] {
            out.extend(word.to_le_bytes());
        }
    }
    out
}

fn section(kind: u32, at: usize, size: usize, link: u32, info: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0, kind] {
        out.extend(word.to_le_bytes());
    }
    for word in [0, 0, at, size] {
        out.extend((word as u64).to_le_bytes());
    }
    for word in [link, info] {
        out.extend(word.to_le_bytes());
    }
    for word in [4_u64, 0] {
        out.extend(word.to_le_bytes());
    }
    out
}
