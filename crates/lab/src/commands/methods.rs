//! Detectors and embedders side by side: every one of the first with every one of the second.

use std::path::Path;

use anyhow::bail;

use super::{ModelArguments, embed, output};
use crate::faces::Outcome;
use crate::report::Run;

/// A detector with an embedder.
#[derive(Clone, Debug)]
pub(super) struct Method {
    pub(super) name: String,
    pub(super) models: ModelArguments,
}

/// What the methods made of the pictures.
pub(super) struct Embedded {
    /// Each method with an outcome a picture.
    pub(super) done: Vec<(Method, Vec<Outcome>)>,
    /// Why other methods have none.
    pub(super) failed: Vec<String>,
    /// With the models noted.
    pub(super) run: Run,
}

/// The methods, where detector and embedder may be lists with commas. Whether all of them exist is seen here, before hours go into the
/// first.
pub(super) fn methods(models: &ModelArguments) -> anyhow::Result<Vec<Method>> {
    let (detectors, embedders) = (names("--detector", &models.detector)?, names("--embedder", &models.embedder)?);
    let mut methods = Vec::new();
    for detector in &detectors {
        for embedder in &embedders {
            let models = ModelArguments { detector: detector.clone(), embedder: embedder.clone(), ..models.clone() };
            models.open()?;
            methods.push(Method { name: format!("{detector} + {embedder}"), models });
        }
    }
    Ok(methods)
}

fn names(option: &str, list: &str) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim) {
        if name.is_empty() {
            bail!("{option} takes a name, or several separated by commas: `{list}` has an empty one");
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// What each method makes of the files of `data`. A method that fails, for example because it finds no face at all, does not take the
/// others with it.
///
/// # Errors
/// When all fail, the reason of the first.
pub(super) fn embed_each(methods: &[Method], run: Run, data: (&Path, &[String])) -> anyhow::Result<Embedded> {
    each(methods, run, |method, run| embed(&method.models, run, data))
}

fn each(
    methods: &[Method],
    run: Run,
    embed: impl Fn(&Method, Run) -> anyhow::Result<(Vec<Outcome>, Run)>,
) -> anyhow::Result<Embedded> {
    let mut embedded = Embedded { done: Vec::new(), failed: Vec::new(), run };
    let mut first = None;
    for method in methods {
        if methods.len() > 1 {
            output::note(&format!("{}:", method.name));
        }
        match embed(method, embedded.run.clone()) {
            Ok((outcomes, run)) => {
                embedded.run = run;
                embedded.done.push((method.clone(), outcomes));
            }
            Err(error) => {
                embedded.failed.push(format!("{}: {}", method.name, output::in_words(&error)));
                first.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first.filter(|_| embedded.done.is_empty()) {
        return Err(error);
    }
    for failure in &embedded.failed {
        output::note(failure);
    }
    Ok(embedded)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use clap::Parser as _;

    use super::{Method, each, names};
    use crate::commands::ModelArguments;
    use crate::faces::Outcome;
    use crate::report::Run;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        models: ModelArguments,
    }

    #[test]
    fn a_method_that_fails_leaves_the_others() {
        let models = Line::parse_from(["lab"]).models;
        let methods = ["good", "bad"].map(|name| Method { name: name.to_owned(), models: models.clone() });
        let embed = |method: &Method, run: Run| match method.name.as_str() {
            "good" => Ok((vec![Outcome::NoFace], run.model("good", "ab"))),
            _ => bail!("no face at all"),
        };
        let run = || Run::start("test", "1");
        let embedded = each(&methods, run(), embed).unwrap();
        assert_eq!(embedded.failed, ["bad: no face at all"]);
        assert_eq!((embedded.done.len(), embedded.done[0].0.name.as_str(), embedded.run.models.len()), (1, "good", 1));
        let failed = each(&methods[1..], run(), embed).map(|_| ()).unwrap_err();
        assert_eq!(failed.to_string(), "no face at all");
    }

    #[test]
    fn lists_have_commas_and_no_name_twice() {
        assert_eq!(names("--embedder", "facenet, dlib,facenet").unwrap(), ["facenet", "dlib"]);
        for list in ["", "facenet,", " ,dlib"] {
            let error = names("--embedder", list).unwrap_err().to_string();
            assert!(error.starts_with("--embedder takes a name"), "{error}");
        }
    }
}
