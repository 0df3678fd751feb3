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

impl Embedded {
    /// What `measure` makes of each method's outcomes, in the order of `done`. A method that nothing can be made of goes to those that
    /// failed.
    ///
    /// # Errors
    /// When no method is left, the reason of each.
    pub(super) fn measured<T>(
        &mut self,
        measure: impl Fn(&Method, &[Outcome]) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        let (mut measured, before) = (Vec::new(), self.failed.len());
        for (method, outcomes) in std::mem::take(&mut self.done) {
            match measure(&method, &outcomes) {
                Ok(figures) => {
                    measured.push(figures);
                    self.done.push((method, outcomes));
                }
                Err(error) => self.fail(&method, &error),
            }
        }
        self.say(before)?;
        Ok(measured)
    }

    fn fail(&mut self, method: &Method, error: &anyhow::Error) {
        self.failed.push(format!("{}: {}", method.name, output::in_words(error)));
    }

    /// Says who failed after the first so many did, if anybody is left.
    fn say(&self, before: usize) -> anyhow::Result<()> {
        if self.done.is_empty() {
            bail!("{}", self.failed.join("; "));
        }
        self.failed.iter().skip(before).for_each(|failure| output::note(failure));
        Ok(())
    }
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
/// When all fail, the reason of each.
pub(super) fn embed_each(methods: &[Method], run: Run, data: (&Path, &[String])) -> anyhow::Result<Embedded> {
    each(methods, run, |method, run| embed(&method.models, run, data))
}

fn each(
    methods: &[Method],
    run: Run,
    embed: impl Fn(&Method, Run) -> anyhow::Result<(Vec<Outcome>, Run)>,
) -> anyhow::Result<Embedded> {
    let mut embedded = Embedded { done: Vec::new(), failed: Vec::new(), run };
    for method in methods {
        if methods.len() > 1 {
            output::note(&format!("{}:", method.name));
        }
        match embed(method, embedded.run.clone()) {
            Ok((outcomes, run)) => {
                embedded.run = run;
                embedded.done.push((method.clone(), outcomes));
            }
            Err(error) => embedded.fail(method, &error),
        }
    }
    embedded.say(0)?;
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
        assert_eq!(failed.to_string(), "bad: no face at all");
    }

    #[test]
    fn a_method_that_cannot_be_measured_leaves_the_others() {
        let models = Line::parse_from(["lab"]).models;
        let methods = ["some", "none"].map(|name| Method { name: name.to_owned(), models: models.clone() });
        let embed = |_: &Method, run: Run| Ok((vec![Outcome::NoFace], run));
        let mut embedded = each(&methods, Run::start("test", "1"), embed).unwrap();
        let measure = |method: &Method, _: &[Outcome]| match method.name.as_str() {
            "some" => Ok(7),
            _ => bail!("no pair"),
        };
        assert_eq!(embedded.measured(measure).unwrap(), [7]);
        assert_eq!((embedded.done.len(), embedded.failed.as_slice()), (1, ["none: no pair".to_owned()].as_slice()));
        let error = embedded.measured(|_, _| -> anyhow::Result<()> { bail!("nothing") }).unwrap_err().to_string();
        assert_eq!(error, "none: no pair; some: nothing");
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
