//! The methods of AMQP 0-9-1, with what RabbitMQ added: their numbers, names, arguments and replies.

use Kind::{Bit, Long, LongLong, LongText, Octet, Short, ShortText, Table};

/// How an argument is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bit,
    Octet,
    Short,
    Long,
    LongLong,
    ShortText,
    LongText,
    Table,
}

/// An argument: its name, empty where the standard reserves it, and how it is written.
pub(super) type Argument = (&'static str, Kind);

/// One method.
#[derive(Debug)]
pub(super) struct Method {
    /// Class and method in one number.
    pub(super) id: u32,
    pub(super) name: &'static str,
    pub(super) arguments: &'static [Argument],
    /// By which of these its receiver replies, where the sender waits.
    pub(super) replies: &'static [u32],
}

const fn id(class: u32, method: u32) -> u32 {
    class << 16 | method
}

pub(super) const START: u32 = id(10, 10);
pub(super) const START_OK: u32 = id(10, 11);
pub(super) const SECURE_OK: u32 = id(10, 21);
pub(super) const TUNE: u32 = id(10, 30);
pub(super) const TUNE_OK: u32 = id(10, 31);
pub(super) const OPEN: u32 = id(10, 40);
pub(super) const OPEN_OK: u32 = id(10, 41);
pub(super) const CLOSE: u32 = id(10, 50);
pub(super) const CLOSE_OK: u32 = id(10, 51);
pub(super) const UPDATE_SECRET: u32 = id(10, 70);
pub(super) const UPDATE_SECRET_OK: u32 = id(10, 71);
pub(super) const CHANNEL_OPEN: u32 = id(20, 10);
pub(super) const CHANNEL_OPEN_OK: u32 = id(20, 11);
pub(super) const CHANNEL_CLOSE: u32 = id(20, 40);
pub(super) const CHANNEL_CLOSE_OK: u32 = id(20, 41);
pub(super) const QUEUE_DECLARE: u32 = id(50, 10);
pub(super) const QOS: u32 = id(60, 10);
pub(super) const CONSUME: u32 = id(60, 20);
pub(super) const CONSUME_OK: u32 = id(60, 21);
pub(super) const CANCEL: u32 = id(60, 30);
pub(super) const PUBLISH: u32 = id(60, 40);
pub(super) const RETURN: u32 = id(60, 50);
pub(super) const DELIVER: u32 = id(60, 60);
pub(super) const GET: u32 = id(60, 70);
pub(super) const GET_OK: u32 = id(60, 71);
pub(super) const GET_EMPTY: u32 = id(60, 72);
pub(super) const ACK: u32 = id(60, 80);
pub(super) const REJECT: u32 = id(60, 90);
pub(super) const RECOVER_ASYNC: u32 = id(60, 100);
pub(super) const RECOVER: u32 = id(60, 110);
pub(super) const NACK: u32 = id(60, 120);
pub(super) const CONFIRM_SELECT: u32 = id(85, 10);
pub(super) const TX_SELECT: u32 = id(90, 10);
pub(super) const TX_COMMIT: u32 = id(90, 20);
pub(super) const TX_ROLLBACK: u32 = id(90, 30);

/// The method of a number.
pub(super) fn method(id: u32) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.id == id)
}

/// Do frames with content follow this method?
pub(super) fn has_content(id: u32) -> bool {
    matches!(id, PUBLISH | RETURN | DELIVER | GET_OK)
}

const fn one(
    (class, number): (u32, u32),
    name: &'static str,
    arguments: &'static [Argument],
    replies: &'static [u32],
) -> Method {
    Method { id: id(class, number), name, arguments, replies }
}

const CLOSED: &[Argument] =
    &[("reply_code", Short), ("reply_text", ShortText), ("class_id", Short), ("method_id", Short)];
const TUNED: &[Argument] = &[("channel_max", Short), ("frame_max", Long), ("heartbeat", Short)];
const BOUND: &[Argument] = &[
    ("", Short),
    ("destination", ShortText),
    ("source", ShortText),
    ("routing_key", ShortText),
    ("nowait", Bit),
    ("arguments", Table),
];

pub(super) static METHODS: &[Method] = &[
    one(
        (10, 10),
        "connection.start",
        &[
            ("version_major", Octet),
            ("version_minor", Octet),
            ("server_properties", Table),
            ("mechanisms", LongText),
            ("locales", LongText),
        ],
        &[],
    ),
    one(
        (10, 11),
        "connection.start-ok",
        &[
            ("client_properties", Table),
            ("mechanism", ShortText),
            ("response", LongText),
            ("locale", ShortText),
        ],
        &[],
    ),
    one((10, 20), "connection.secure", &[("challenge", LongText)], &[]),
    one((10, 21), "connection.secure-ok", &[("response", LongText)], &[]),
    one((10, 30), "connection.tune", TUNED, &[]),
    one((10, 31), "connection.tune-ok", TUNED, &[]),
    one((10, 40), "connection.open", &[("virtual_host", ShortText), ("", ShortText), ("", Bit)], &[]),
    one((10, 41), "connection.open-ok", &[("", ShortText)], &[]),
    one((10, 50), "connection.close", CLOSED, &[]),
    one((10, 51), "connection.close-ok", &[], &[]),
    one((10, 60), "connection.blocked", &[("reason", ShortText)], &[]),
    one((10, 61), "connection.unblocked", &[], &[]),
    one((10, 70), "connection.update-secret", &[("secret", LongText), ("reason", ShortText)], &[]),
    one((10, 71), "connection.update-secret-ok", &[], &[]),
    one((20, 10), "channel.open", &[("", ShortText)], &[]),
    one((20, 11), "channel.open-ok", &[("", LongText)], &[]),
    one((20, 20), "channel.flow", &[("active", Bit)], &[]),
    one((20, 21), "channel.flow-ok", &[("active", Bit)], &[]),
    one((20, 40), "channel.close", CLOSED, &[]),
    one((20, 41), "channel.close-ok", &[], &[]),
    one(
        (40, 10),
        "exchange.declare",
        &[
            ("", Short),
            ("exchange", ShortText),
            ("type", ShortText),
            ("passive", Bit),
            ("durable", Bit),
            ("auto_delete", Bit),
            ("internal", Bit),
            ("nowait", Bit),
            ("arguments", Table),
        ],
        &[id(40, 11)],
    ),
    one((40, 11), "exchange.declare-ok", &[], &[]),
    one(
        (40, 20),
        "exchange.delete",
        &[("", Short), ("exchange", ShortText), ("if_unused", Bit), ("nowait", Bit)],
        &[id(40, 21)],
    ),
    one((40, 21), "exchange.delete-ok", &[], &[]),
    one((40, 30), "exchange.bind", BOUND, &[id(40, 31)]),
    one((40, 31), "exchange.bind-ok", &[], &[]),
    one((40, 40), "exchange.unbind", BOUND, &[id(40, 51)]),
    one((40, 51), "exchange.unbind-ok", &[], &[]),
    one(
        (50, 10),
        "queue.declare",
        &[
            ("", Short),
            ("queue", ShortText),
            ("passive", Bit),
            ("durable", Bit),
            ("exclusive", Bit),
            ("auto_delete", Bit),
            ("nowait", Bit),
            ("arguments", Table),
        ],
        &[id(50, 11)],
    ),
    one(
        (50, 11),
        "queue.declare-ok",
        &[("queue", ShortText), ("message_count", Long), ("consumer_count", Long)],
        &[],
    ),
    one(
        (50, 20),
        "queue.bind",
        &[
            ("", Short),
            ("queue", ShortText),
            ("exchange", ShortText),
            ("routing_key", ShortText),
            ("nowait", Bit),
            ("arguments", Table),
        ],
        &[id(50, 21)],
    ),
    one((50, 21), "queue.bind-ok", &[], &[]),
    one((50, 30), "queue.purge", &[("", Short), ("queue", ShortText), ("nowait", Bit)], &[id(50, 31)]),
    one((50, 31), "queue.purge-ok", &[("message_count", Long)], &[]),
    one(
        (50, 40),
        "queue.delete",
        &[("", Short), ("queue", ShortText), ("if_unused", Bit), ("if_empty", Bit), ("nowait", Bit)],
        &[id(50, 41)],
    ),
    one((50, 41), "queue.delete-ok", &[("message_count", Long)], &[]),
    one(
        (50, 50),
        "queue.unbind",
        &[
            ("", Short),
            ("queue", ShortText),
            ("exchange", ShortText),
            ("routing_key", ShortText),
            ("arguments", Table),
        ],
        &[id(50, 51)],
    ),
    one((50, 51), "queue.unbind-ok", &[], &[]),
    one(
        (60, 10),
        "basic.qos",
        &[("prefetch_size", Long), ("prefetch_count", Short), ("global", Bit)],
        &[id(60, 11)],
    ),
    one((60, 11), "basic.qos-ok", &[], &[]),
    one(
        (60, 20),
        "basic.consume",
        &[
            ("", Short),
            ("queue", ShortText),
            ("consumer_tag", ShortText),
            ("no_local", Bit),
            ("no_ack", Bit),
            ("exclusive", Bit),
            ("nowait", Bit),
            ("arguments", Table),
        ],
        &[CONSUME_OK],
    ),
    one((60, 21), "basic.consume-ok", &[("consumer_tag", ShortText)], &[]),
    one((60, 30), "basic.cancel", &[("consumer_tag", ShortText), ("nowait", Bit)], &[id(60, 31)]),
    one((60, 31), "basic.cancel-ok", &[("consumer_tag", ShortText)], &[]),
    one(
        (60, 40),
        "basic.publish",
        &[
            ("", Short),
            ("exchange", ShortText),
            ("routing_key", ShortText),
            ("mandatory", Bit),
            ("immediate", Bit),
        ],
        &[],
    ),
    one(
        (60, 50),
        "basic.return",
        &[
            ("reply_code", Short),
            ("reply_text", ShortText),
            ("exchange", ShortText),
            ("routing_key", ShortText),
        ],
        &[],
    ),
    one(
        (60, 60),
        "basic.deliver",
        &[
            ("consumer_tag", ShortText),
            ("delivery_tag", LongLong),
            ("redelivered", Bit),
            ("exchange", ShortText),
            ("routing_key", ShortText),
        ],
        &[],
    ),
    one((60, 70), "basic.get", &[("", Short), ("queue", ShortText), ("no_ack", Bit)], &[GET_OK, GET_EMPTY]),
    one(
        (60, 71),
        "basic.get-ok",
        &[
            ("delivery_tag", LongLong),
            ("redelivered", Bit),
            ("exchange", ShortText),
            ("routing_key", ShortText),
            ("message_count", Long),
        ],
        &[],
    ),
    one((60, 72), "basic.get-empty", &[("", ShortText)], &[]),
    one((60, 80), "basic.ack", &[("delivery_tag", LongLong), ("multiple", Bit)], &[]),
    one((60, 90), "basic.reject", &[("delivery_tag", LongLong), ("requeue", Bit)], &[]),
    one((60, 100), "basic.recover-async", &[("requeue", Bit)], &[]),
    one((60, 110), "basic.recover", &[("requeue", Bit)], &[id(60, 111)]),
    one((60, 111), "basic.recover-ok", &[], &[]),
    one((60, 120), "basic.nack", &[("delivery_tag", LongLong), ("multiple", Bit), ("requeue", Bit)], &[]),
    one((85, 10), "confirm.select", &[("nowait", Bit)], &[id(85, 11)]),
    one((85, 11), "confirm.select-ok", &[], &[]),
    one((90, 10), "tx.select", &[], &[id(90, 11)]),
    one((90, 11), "tx.select-ok", &[], &[]),
    one((90, 20), "tx.commit", &[], &[id(90, 21)]),
    one((90, 21), "tx.commit-ok", &[], &[]),
    one((90, 30), "tx.rollback", &[], &[id(90, 31)]),
    one((90, 31), "tx.rollback-ok", &[], &[]),
];

/// The names of the standard for why a channel or connection is closed.
const REASONS: &[(u16, &str)] = &[
    (311, "CONTENT_TOO_LARGE"),
    (312, "NO_ROUTE"),
    (313, "NO_CONSUMERS"),
    (320, "CONNECTION_FORCED"),
    (402, "INVALID_PATH"),
    (403, "ACCESS_REFUSED"),
    (404, "NOT_FOUND"),
    (405, "RESOURCE_LOCKED"),
    (406, "PRECONDITION_FAILED"),
    (501, "FRAME_ERROR"),
    (502, "SYNTAX_ERROR"),
    (503, "COMMAND_INVALID"),
    (504, "CHANNEL_ERROR"),
    (505, "UNEXPECTED_FRAME"),
    (506, "RESOURCE_ERROR"),
    (530, "NOT_ALLOWED"),
    (540, "NOT_IMPLEMENTED"),
    (541, "INTERNAL_ERROR"),
];

/// The standard's name of a code.
pub(super) fn reason(code: u16) -> Option<&'static str> {
    REASONS.iter().find(|(other, _)| *other == code).map(|(_, name)| *name)
}

/// The code of a standard name.
pub(super) fn code(reason: &str) -> Option<u16> {
    REASONS.iter().find(|(_, name)| *name == reason).map(|(code, _)| *code)
}

/// Does this code close the connection, and not only the channel?
pub(super) fn closes_connection(code: u16) -> bool {
    matches!(code, 320 | 402 | 501..=505 | 530 | 540 | 541)
}
