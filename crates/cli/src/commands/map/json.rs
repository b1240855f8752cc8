//! The map for programs.

use super::Drawing;
use crate::chosen::is_shown;
use seam_value::Value;

pub(super) fn draw(drawing: &Drawing<'_>) -> String {
    let components = drawing.components().map(|(name, component)| {
        let endpoints =
            component.endpoints.iter().filter(|endpoint| is_shown(drawing.system, name, &endpoint.name)).map(
                |endpoint| {
                    let (name, protocol) = (endpoint.name.as_str(), endpoint.protocol.name());
                    Value::map([("name", name.into()), ("protocol", Value::from(protocol))])
                },
            );
        let origin = component.declared.origin.value.as_str();
        let mut pairs = vec![("name", Value::from(name)), ("origin", origin.into())];
        if let Some(service) = component.declared.subject.as_text().filter(|_| origin == "service") {
            pairs.push(("service", service.into()));
        }
        pairs.push(("endpoints", Value::List(endpoints.collect())));
        Value::map(pairs)
    });
    let seams = drawing.system.seams.iter().map(|seam| {
        let mut pairs = vec![
            ("seam", Value::text(seam.id.to_string())),
            ("consumer", seam.id.consumer.as_str().into()),
            ("provider", seam.id.provider.as_str().into()),
            ("endpoint", seam.id.endpoint.as_str().into()),
            ("protocol", seam.protocol.name().into()),
        ];
        if let Some(place) = drawing.place(seam) {
            pairs.push(("file", Value::text(place.path.to_string_lossy())));
            pairs.push(("line", place.line.into()));
            pairs.push(("column", place.column.into()));
        }
        Value::map(pairs)
    });
    let whole = Value::map([
        ("system", Value::text(drawing.system.name.as_str())),
        ("components", Value::List(components.collect())),
        ("seams", Value::List(seams.collect())),
    ]);
    whole.to_pretty() + "\n"
}
