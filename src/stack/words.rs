//! How complaints are worded: quoted names, lists of choices, and the nearest known word.

/// `a`, `b` or `c`, each in backticks.
pub(crate) fn either<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    one_of(&quoted)
}

/// a, b or c.
pub(crate) fn one_of(things: &[String]) -> String {
    match things.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// `a`, `b`, `c`, each in backticks.
pub(crate) fn each<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = words
        .into_iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    quoted.join(", ")
}

/// How alike words must be when they are further apart than a slip or two: `onconect`, `connect`.
const ALIKE: f64 = 0.8;

/// The known word that a wrong one was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|candidate| (candidate, candidate.to_lowercase()))
        .map(|(candidate, known)| (strsim::osa_distance(&lower, &known), known, candidate))
        .filter(|(distance, known, _)| *distance <= allowed || strsim::jaro(&lower, known) >= ALIKE)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., candidate)| candidate)
}

/// The question that goes with [`nearest`].
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The nearest known word, or else all of them.
pub(crate) fn choice<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> Option<String> {
    let all: Vec<&str> = known.clone().collect();
    did_you_mean(word, known)
        .or_else(|| (!all.is_empty()).then(|| format!("{what}: {}", each(all))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["connect", "disconnect", "send"];
        assert_eq!(nearest("onconect", known), Some("connect"));
        assert_eq!(nearest("Send", known), Some("send"));
        assert_eq!(nearest("audit", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn choices_read_like_a_sentence() {
        assert_eq!(either(&["a"]), "`a`");
        assert_eq!(either(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(either::<&str>(&[]), "nothing");
        assert_eq!(
            choice("zzz", ["a", "b"].into_iter(), "declared").as_deref(),
            Some("declared: `a`, `b`")
        );
    }
}
