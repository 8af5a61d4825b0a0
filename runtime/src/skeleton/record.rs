//! The file of recorded skeletons, with one section for each orchestrator and version. A section begins with its title
//! line.

use super::tree;

/// What a file contains for an orchestrator and version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recorded<'a> {
    /// The same structure, in everything that a replay depends on.
    Same,
    /// Another structure, which is the value.
    Other(&'a str),
    /// Nothing yet.
    Nothing,
}

/// Compares a skeleton with the section of the same name and version.
pub(super) fn compare<'a>(file: &'a str, skeleton: &str) -> Recorded<'a> {
    match sections(file).find(|section| title(section) == title(skeleton)) {
        None => Recorded::Nothing,
        Some(section) if tree::replayed(tree::parse(section)) == tree::replayed(tree::parse(skeleton)) => {
            Recorded::Same
        }
        Some(section) => Recorded::Other(section),
    }
}

/// Returns the file with the skeleton in place of the section with the same name and version, or at the end.
pub(super) fn accept(file: &str, skeleton: &str) -> String {
    let mut accepted: Vec<_> = sections(file).map(str::trim_end).collect();
    match accepted.iter().position(|section| title(section) == title(skeleton)) {
        Some(place) => accepted[place] = skeleton.trim_end(),
        None => accepted.push(skeleton.trim_end()),
    }
    accepted.join("\n\n") + "\n"
}

/// Returns the sections. Text above the first section is a note of the user; it belongs to no section and stays.
fn sections(file: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<_> = file
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line))
        })
        .filter(|(_, line)| line.starts_with("orchestrator "))
        .map(|(start, _)| start)
        .collect();
    if starts.first() != Some(&0) && !file[..starts.first().copied().unwrap_or(file.len())].trim().is_empty() {
        starts.insert(0, 0);
    }
    let ends: Vec<_> = starts.iter().skip(1).copied().chain([file.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &file[start..end])
}

/// Returns the first line, which contains the name and the version.
pub(super) fn title(section: &str) -> &str {
    section.lines().next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "orchestrator \"a\"\n  call x\n";
    const TWO: &str = "orchestrator \"a\" version \"2\"\n  call y\n  set custom status\n";

    #[test]
    fn a_section_is_found_by_name_and_version() {
        let file = accept(&accept("", ONE), TWO);
        assert_eq!(file, format!("{ONE}\n{TWO}"));
        assert_eq!(compare(&file, ONE), Recorded::Same);
        assert_eq!(compare(&file, TWO), Recorded::Same);
        assert_eq!(compare(&file, "orchestrator \"b\"\n  call x\n"), Recorded::Nothing);
        assert_eq!(compare(&file, "orchestrator \"a\" version \"2\"\n  call y\n"), Recorded::Same);
        assert_eq!(compare(&file, "orchestrator \"a\"\n  call y\n"), Recorded::Other(&format!("{ONE}\n")));
        assert_eq!(compare("", ONE), Recorded::Nothing);
    }

    #[test]
    fn accepting_replaces_one_section_and_keeps_the_others_and_notes_above() {
        let file = format!("# Ours.\n\n{}", accept(&accept("", ONE), TWO).replace('\n', "\r\n"));
        assert_eq!(compare(&file, ONE), Recorded::Same);
        let accepted = accept(&file, "orchestrator \"a\"\n  call z\n");
        assert!(accepted.starts_with("# Ours.\n\norchestrator \"a\"\n  call z\n\norchestrator \"a\" version \"2\""));
        assert_eq!(compare(&accepted, TWO), Recorded::Same);
        // Accepting the same skeleton twice changes nothing.
        assert_eq!(accept(&accepted, "orchestrator \"a\"\n  call z\n"), accepted);
    }
}
