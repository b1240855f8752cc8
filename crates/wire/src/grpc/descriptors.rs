//! What services, methods and messages there are: from `.proto` files or a compiled set of them.

use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions,
};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use seam_value::Value;
use std::fmt;

/// The descriptions of services, shared by all connections of an endpoint.
#[derive(Clone)]
pub struct Descriptors {
    pool: DescriptorPool,
}

/// Why descriptions can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Undescribed {
    /// What is wrong, with file and line where it is known.
    pub reason: String,
}

impl Descriptors {
    /// From a compiled set (`protoc --include_imports --descriptor_set_out`), as bytes.
    pub fn from_set(set: &[u8]) -> Result<Self, Undescribed> {
        let pool = DescriptorPool::decode(set).map_err(|error| Undescribed { reason: error.to_string() })?;
        Ok(Self { pool })
    }

    /// From `.proto` files. `read` gives the text of a file by the name that an import has, or none where there is no
    /// such file; Google's own are known.
    pub fn from_protos(
        names: &[&str],
        read: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, Undescribed> {
        let mut resolver = ChainFileResolver::new();
        resolver.add(Given(Box::new(read)));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        for name in names {
            compiler.open_file(name).map_err(|error| Undescribed { reason: format!("{name}: {error:?}") })?;
        }
        Ok(Self { pool: compiler.descriptor_pool() })
    }

    /// All methods, as they are called: `shop.Orders/Place`.
    pub fn methods(&self) -> Vec<String> {
        let of = |service: prost_reflect::ServiceDescriptor| {
            let name = service.full_name().to_owned();
            service.methods().map(|method| format!("{name}/{}", method.name())).collect::<Vec<_>>()
        };
        self.pool.services().flat_map(of).collect()
    }

    /// The method of a path: `/shop.Orders/Place`.
    pub(crate) fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        service.methods().find(|other| other.name() == method)
    }
}

impl fmt::Debug for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<String> =
            self.pool.services().map(|service| service.full_name().to_owned()).collect();
        f.debug_struct("Descriptors").field("services", &services).finish()
    }
}

/// Files by name, from whoever may read them.
struct Given(Box<ReadFile>);

type ReadFile = dyn Fn(&str) -> Option<String> + Send + Sync;

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match (self.0)(name) {
            Some(text) => File::from_source(name, &text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// A message to its fields, by the names that its file gives them. None where it is not such a message.
pub(super) fn decode(descriptor: MessageDescriptor, bytes: &[u8]) -> Option<Value> {
    let message = DynamicMessage::decode(descriptor, bytes).ok()?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    let mut json = Vec::new();
    let mut writer = serde_json::Serializer::new(&mut json);
    message.serialize_with_options(&mut writer, &options).ok()?;
    seam_value::parse(std::str::from_utf8(&json).ok()?).ok()
}

/// The fields to a message; what is wrong with them where they are none.
pub(super) fn encode(descriptor: MessageDescriptor, value: &Value) -> Result<Vec<u8>, String> {
    let text = value.to_string();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let name = descriptor.full_name().to_owned();
    let message =
        DynamicMessage::deserialize_with_options(descriptor, &mut reader, &DeserializeOptions::new())
            .map_err(|error| {
                let text = error.to_string();
                // The place is one in a text that nobody sees.
                format!("no {name}: {}", text.split(" at line ").next().unwrap_or_default())
            })?;
    Ok(message.encode_to_vec())
}
