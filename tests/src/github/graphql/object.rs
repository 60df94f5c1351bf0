//! Any object of the schema: its fields from a record, from git, or empty of their type.

use std::cell::OnceCell;

use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value, json};

use super::{Context, history, issues, mutations, pulls, repositories, roots};
use crate::github::node_id::NodeId;
use crate::github::store::{Key, Record};
use crate::github::tokens::Wanted;

/// What an object is.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// `Query` or `Mutation`.
    Root(&'static str),
    Record(Key),
    /// A ref, or an object of git.
    Git(&'static str, u64, String),
    /// One that is only an answer's: a type and fields.
    Made(String, Map<String, Value>),
}

/// A field's value, or none where nothing models it.
pub(super) type Found = Result<Option<Value>, FieldError>;

pub(super) struct Node<'a, 'c> {
    pub(super) context: &'a Context<'c>,
    pub(super) item: Item,
    loaded: OnceCell<Map<String, Value>>,
}

pub(super) fn refused(message: impl Into<String>) -> FieldError {
    FieldError {
        message: message.into(),
    }
}

impl ObjectValue for Node<'_, '_> {
    fn type_name(&self) -> &str {
        match &self.item {
            Item::Root(kind) | Item::Record((kind, _)) | Item::Git(kind, ..) => kind,
            Item::Made(kind, _) => kind,
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let arguments = serde_json::to_value(info.arguments()).expect("arguments are JSON");
        let value = self.value(info.field_name(), &arguments)?;
        Ok(self.context.shape(value, &info.field_definition().ty, &arguments))
    }
}

impl<'a, 'c> Node<'a, 'c> {
    pub(super) fn new(context: &'a Context<'c>, item: Item) -> Self {
        Self {
            context,
            item,
            loaded: OnceCell::new(),
        }
    }

    fn value(&self, field: &str, arguments: &Value) -> Found {
        match &self.item {
            Item::Root("Mutation") => mutations::run(self.context, field, &arguments["input"]).map(Some),
            Item::Root(_) => roots::field(self.context, field, arguments),
            Item::Made(_, fields) => Ok(fields.get(field).cloned()),
            Item::Git(kind, repository, name) => {
                if field == "id" {
                    return Ok(Some(
                        NodeId::Git(kind, *repository, name.clone()).text(None).into(),
                    ));
                }
                let asked = history::asked(self.context, kind, *repository, name, field, arguments);
                let load = || history::load(self.context, kind, *repository, name);
                Ok(asked.or_else(|| self.loaded.get_or_init(load).get(field).cloned()))
            }
            Item::Record(key) => self.field_of_record(*key, field, arguments),
        }
    }

    fn field_of_record(&self, key: Key, field: &str, arguments: &Value) -> Found {
        let store = self.context.store.borrow();
        let Some(record) = store.records.get(&key) else {
            return Ok(None);
        };
        let modelled = match key.0 {
            "Repository" => repositories::field(self.context, &store, record, field, arguments),
            "PullRequest" => pulls::field(self.context, &store, record, field, arguments),
            "Issue" => Ok(issues::shared(&store, record, field)),
            "User" | "Organization" | "Bot" => Ok(roots::actor_field(self.context, &store, record, field)),
            "Gist" if field == "files" => Ok(Some(files(record))),
            _ => Ok(None),
        };
        if let Some(value) = modelled? {
            return Ok(Some(value));
        }
        if let Some(value) = record.fields.get(field) {
            return Ok(Some(value.clone()));
        }
        Ok(match field {
            "id" => Some(store.node_id(key).into()),
            "databaseId" => i32::try_from(record.id).ok().map(Value::from),
            "fullDatabaseId" => Some(record.id.to_string().into()),
            "repository" => record.repository.map(|id| store.link(("Repository", id))),
            "url" | "permalink" | "resourcePath" => Some(self.context.url(&store, record).into()),
            "bodyText" | "bodyHTML" => record.fields.get("body").cloned(),
            _ if field.starts_with("viewerCan") => {
                Some(self.context.may_write(&store, record.repository).into())
            }
            _ => None,
        })
    }
}

impl<'c> Context<'c> {
    pub(super) fn may_write(&self, store: &super::Store, repository: Option<u64>) -> bool {
        repository.is_some_and(|id| store.may(self.caller, Wanted::Write, "contents", id))
    }

    /// The page of a record.
    pub(super) fn url(&self, store: &super::Store, record: &Record) -> String {
        crate::github::rest::page(store, self.site, record)
    }

    /// A value as its type wants it.
    pub(super) fn shape<'a>(&'a self, value: Option<Value>, ty: &Type, arguments: &Value) -> ResolvedValue<'a>
    where
        'c: 'a,
    {
        match value {
            None | Some(Value::Null) => self.empty(ty),
            Some(Value::Array(items)) if ty.is_list() => {
                let inner = ty.item_type().clone();
                ResolvedValue::List(Box::new(
                    items
                        .into_iter()
                        .map(move |item| Ok(self.shape(Some(item), &inner, &Value::Null))),
                ))
            }
            Some(Value::Array(items)) => {
                let kind = ty.inner_named_type();
                match self.schema.types.get(kind) {
                    Some(ExtendedType::Object(_)) => self.made(kind, connection(&items, arguments)),
                    _ => ResolvedValue::Leaf(JsonValue::from(Value::Array(items))),
                }
            }
            Some(Value::Object(fields)) => self.composite(fields, ty),
            Some(leaf) => ResolvedValue::Leaf(JsonValue::from(leaf)),
        }
    }

    fn composite<'a>(&'a self, mut fields: Map<String, Value>, ty: &Type) -> ResolvedValue<'a>
    where
        'c: 'a,
    {
        if let Some(link) = fields.get("$").and_then(Value::as_str) {
            let item = self.item(link);
            return item.map_or_else(
                || self.empty(ty),
                |item| ResolvedValue::object(Node::new(self, item)),
            );
        }
        let named = ty.inner_named_type();
        if matches!(self.schema.types.get(named), Some(ExtendedType::Scalar(_))) {
            return ResolvedValue::Leaf(JsonValue::from(Value::Object(fields)));
        }
        let kind = fields
            .remove("__typename")
            .and_then(|kind| kind.as_str().map(str::to_owned));
        self.made(&kind.unwrap_or_else(|| named.to_string()), fields)
    }

    fn made<'a>(&'a self, kind: &str, fields: Map<String, Value>) -> ResolvedValue<'a>
    where
        'c: 'a,
    {
        ResolvedValue::object(Node::new(self, Item::Made(kind.to_owned(), fields)))
    }

    /// What a node id names, if there is one.
    pub(super) fn item(&self, node_id: &str) -> Option<Item> {
        match NodeId::parse(node_id)? {
            NodeId::Record(kind, id) => self
                .store
                .borrow()
                .records
                .contains_key(&(kind, id))
                .then_some(Item::Record((kind, id))),
            NodeId::Git(kind, repository, name) => self
                .store
                .borrow()
                .disks
                .contains_key(&repository)
                .then_some(Item::Git(kind, repository, name)),
        }
    }

    /// Nothing, as far as the type has one.
    fn empty<'a>(&'a self, ty: &Type) -> ResolvedValue<'a>
    where
        'c: 'a,
    {
        let kind = ty.inner_named_type();
        if !ty.is_list() && kind.ends_with("Connection") {
            return self.made(kind, connection(&[], &Value::Null));
        }
        if !ty.is_non_null() {
            return ResolvedValue::null();
        }
        if ty.is_list() {
            return ResolvedValue::list([]);
        }
        match self.schema.types.get(kind) {
            Some(ExtendedType::Enum(values)) => ResolvedValue::leaf(
                values
                    .values
                    .keys()
                    .next()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ),
            Some(ExtendedType::Object(_)) => self.made(kind, Map::new()),
            Some(ExtendedType::Interface(_)) => {
                let implements = self.schema.types.values().find_map(|ty| {
                    let object = ty.as_object()?;
                    object
                        .implements_interfaces
                        .contains(kind)
                        .then(|| object.name.to_string())
                });
                self.made(&implements.unwrap_or_default(), Map::new())
            }
            Some(ExtendedType::Union(union)) => self.made(
                &union
                    .members
                    .iter()
                    .next()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                Map::new(),
            ),
            _ => ResolvedValue::leaf(zero(kind)),
        }
    }
}

fn files(gist: &Record) -> Value {
    let files = gist.field("contents").as_object().cloned().unwrap_or_default();
    let shown = files
        .iter()
        .map(|(name, text)| json!({ "name": name, "text": text }));
    shown.collect::<Vec<_>>().into()
}

fn zero(scalar: &str) -> JsonValue {
    JsonValue::from(match scalar {
        "Int" => json!(0),
        "Float" => json!(0.0),
        "Boolean" => json!(false),
        "DateTime" | "PreciseDateTime" | "GitTimestamp" => json!("2026-10-01T00:00:00Z"),
        "Date" => json!("2026-10-01"),
        "BigInt" => json!("0"),
        "URI" => json!("https://github.com/"),
        "GitObjectID" => json!("0000000000000000000000000000000000000000"),
        _ => json!(""),
    })
}

/// A page of a connection (<https://relay.dev/graphql/connections.htm>), as `first`, `last`, `after` and `before` say.
fn connection(items: &[Value], arguments: &Value) -> Map<String, Value> {
    let total = items.len();
    let at = |name: &str| {
        arguments[name]
            .as_str()
            .and_then(|cursor| cursor.strip_prefix("cursor:")?.parse::<usize>().ok())
    };
    let count = |name: &str| {
        arguments[name]
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
    };
    let mut start = at("after").map_or(0, |at| (at + 1).min(total));
    let mut end = at("before").map_or(total, |at| at.min(total)).max(start);
    if let Some(first) = count("first") {
        end = end.min(start + first);
    }
    if let Some(last) = count("last") {
        start = start.max(end.saturating_sub(last));
    }
    let cursor = |at: usize| format!("cursor:{at}");
    let page = &items[start..end];
    let edges: Vec<_> = page
        .iter()
        .enumerate()
        .map(|(at, node)| json!({ "node": node, "cursor": cursor(start + at) }))
        .collect();
    let info = json!({
        "hasNextPage": end < total, "hasPreviousPage": start > 0,
        "startCursor": (start < end).then(|| cursor(start)), "endCursor": (start < end).then(|| cursor(end - 1)),
    });
    let fields = json!({
        "nodes": page, "edges": edges, "pageInfo": info, "totalCount": total,
        "issueCount": total, "repositoryCount": total, "userCount": total,
    });
    let Value::Object(fields) = fields else {
        unreachable!("an object")
    };
    fields
}
