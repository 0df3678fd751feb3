//! `/api/v1/people`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use sightline_wire::PersonId;
use sightline_wire::service::{
    AddTemplate, CreatePerson, Enrolled, GetPerson, ListPeople, Merge, MergePeople, NewPerson, NewTemplate,
    PeopleAfter, PeoplePage, Person, PersonKey, RemoveEmptyPerson, RemovePerson, Rename, RenamePerson,
};

use crate::api::{EnrolledFace, MergeInto, PersonName};
use crate::body::{self, Id, JsonBody};
use crate::problem::Problem;
use crate::{Gateway, recognize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// The `next` of the page before.
    #[serde(default)]
    after: String,
    #[serde(default = "hundred")]
    limit: u32,
    name: Option<String>,
}

const fn hundred() -> u32 {
    100
}

/// A page by name, or the person of a name.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PeoplePage>, Problem> {
    let Query(Asked { after, limit, name }) = asked.map_err(|rejection| Problem::new(422, rejection.body_text()))?;
    Ok(Json(gateway.call::<ListPeople>(PeopleAfter { after, limit, name }).await?))
}

pub(crate) async fn get(State(gateway): State<Gateway>, Id(id): Id<PersonId>) -> Result<Json<Person>, Problem> {
    Ok(Json(gateway.call::<GetPerson>(PersonKey { id }).await?))
}

pub(crate) async fn create(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    JsonBody(PersonName { name }): JsonBody<PersonName>,
) -> Result<(StatusCode, Json<Person>), Problem> {
    let new = NewPerson { name, idempotency_key: body::idempotency_key(&headers)? };
    Ok((StatusCode::CREATED, Json(gateway.call::<CreatePerson>(new).await?)))
}

pub(crate) async fn rename(
    State(gateway): State<Gateway>,
    Id(id): Id<PersonId>,
    JsonBody(PersonName { name }): JsonBody<PersonName>,
) -> Result<Json<Person>, Problem> {
    Ok(Json(gateway.call::<Rename>(RenamePerson { id, name }).await?))
}

pub(crate) async fn merge(
    State(gateway): State<Gateway>,
    Id(id): Id<PersonId>,
    JsonBody(MergeInto { into }): JsonBody<MergeInto>,
) -> Result<Json<Person>, Problem> {
    Ok(Json(gateway.call::<Merge>(MergePeople { from: id, into }).await?))
}

pub(crate) async fn remove(State(gateway): State<Gateway>, Id(id): Id<PersonId>) -> Result<StatusCode, Problem> {
    gateway.call::<RemovePerson>(PersonKey { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody of whom something is enrolled stays, which is a conflict. An address of its own: a server that does not know it removes nobody.
pub(crate) async fn remove_empty(State(gateway): State<Gateway>, Id(id): Id<PersonId>) -> Result<StatusCode, Problem> {
    gateway.call::<RemoveEmptyPerson>(PersonKey { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enrolls the one face of a picture.
pub(crate) async fn enroll(
    State(gateway): State<Gateway>,
    Id(id): Id<PersonId>,
    headers: HeaderMap,
    request: Request,
) -> Result<(StatusCode, Json<EnrolledFace>), Problem> {
    let idempotency_key = body::idempotency_key(&headers)?;
    let person = gateway.call::<GetPerson>(PersonKey { id }).await?.id;
    let (analysis, origin) = recognize::analyse(&gateway, request).await?;
    let unusable = |reason: &str, detail: String| Problem::new(422, detail).with("reason", reason);
    let mut faces = analysis.faces.into_iter();
    let face = match (faces.next(), faces.len()) {
        (None, _) => return Err(unusable("no_face", "there is no face in the picture".to_owned())),
        (Some(face), 0) => face,
        (Some(_), more) => {
            let detail = format!("there are {} faces in the picture: cut out the one that is meant", more + 1);
            return Err(unusable("several_faces", detail));
        }
    };
    if let Some(flaw) = &face.flaw {
        return Err(unusable(flaw, format!("the face is not good enough to be enrolled: {flaw}")));
    }
    let vector = face.vector.ok_or_else(|| unusable("not_aligned", "the face cannot be aligned".to_owned()))?;
    let (quality, embedder) = (face.quality, analysis.embedder);
    let new = NewTemplate { person, embedder, vector, quality, origin, idempotency_key };
    let Enrolled { template, resembles } = gateway.call::<AddTemplate>(new).await?;
    let (id, person) = (template.id, template.person);
    Ok((StatusCode::CREATED, Json(EnrolledFace { id, person, bbox: face.bbox, quality, resembles })))
}
