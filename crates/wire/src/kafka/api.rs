//! Kafka's kinds of requests: their numbers, names, and from which version on they are written compactly.

pub(super) const PRODUCE: i16 = 0;
pub(super) const FETCH: i16 = 1;
pub(super) const LIST_OFFSETS: i16 = 2;
pub(super) const METADATA: i16 = 3;
pub(super) const OFFSET_COMMIT: i16 = 8;
pub(super) const OFFSET_FETCH: i16 = 9;
pub(super) const FIND_COORDINATOR: i16 = 10;
pub(super) const JOIN_GROUP: i16 = 11;
pub(super) const HEARTBEAT: i16 = 12;
pub(super) const LEAVE_GROUP: i16 = 13;
pub(super) const SYNC_GROUP: i16 = 14;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const INIT_PRODUCER_ID: i16 = 22;
pub(super) const ADD_PARTITIONS_TO_TXN: i16 = 24;
pub(super) const ADD_OFFSETS_TO_TXN: i16 = 25;
pub(super) const END_TXN: i16 = 26;
pub(super) const TXN_OFFSET_COMMIT: i16 = 28;
pub(super) const SASL_AUTHENTICATE: i16 = 36;
pub(super) const CREATE_DELEGATION_TOKEN: i16 = 38;
pub(super) const DESCRIBE_DELEGATION_TOKEN: i16 = 41;
pub(super) const DESCRIBE_USER_SCRAM_CREDENTIALS: i16 = 50;
pub(super) const ALTER_USER_SCRAM_CREDENTIALS: i16 = 51;
pub(super) const DESCRIBE_CLUSTER: i16 = 60;

/// The highest number that a request may have.
pub(super) const LAST: i16 = 127;

/// Number, name, and the first version with compact lengths and tagged fields.
static APIS: &[(i16, &str, i16)] = &[
    (PRODUCE, "Produce", 9),
    (FETCH, "Fetch", 12),
    (LIST_OFFSETS, "ListOffsets", 6),
    (METADATA, "Metadata", 9),
    (OFFSET_COMMIT, "OffsetCommit", 8),
    (OFFSET_FETCH, "OffsetFetch", 6),
    (FIND_COORDINATOR, "FindCoordinator", 3),
    (JOIN_GROUP, "JoinGroup", 6),
    (HEARTBEAT, "Heartbeat", 4),
    (LEAVE_GROUP, "LeaveGroup", 4),
    (SYNC_GROUP, "SyncGroup", 4),
    (15, "DescribeGroups", 5),
    (16, "ListGroups", 3),
    (SASL_HANDSHAKE, "SaslHandshake", i16::MAX),
    (API_VERSIONS, "ApiVersions", 3),
    (19, "CreateTopics", 5),
    (20, "DeleteTopics", 4),
    (21, "DeleteRecords", 2),
    (INIT_PRODUCER_ID, "InitProducerId", 2),
    (23, "OffsetForLeaderEpoch", 4),
    (ADD_PARTITIONS_TO_TXN, "AddPartitionsToTxn", 3),
    (ADD_OFFSETS_TO_TXN, "AddOffsetsToTxn", 3),
    (END_TXN, "EndTxn", 3),
    (TXN_OFFSET_COMMIT, "TxnOffsetCommit", 3),
    (29, "DescribeAcls", 2),
    (30, "CreateAcls", 2),
    (31, "DeleteAcls", 2),
    (32, "DescribeConfigs", 4),
    (33, "AlterConfigs", 2),
    (35, "DescribeLogDirs", 2),
    (SASL_AUTHENTICATE, "SaslAuthenticate", 2),
    (37, "CreatePartitions", 2),
    (42, "DeleteGroups", 2),
    (44, "IncrementalAlterConfigs", 1),
    (47, "OffsetDelete", i16::MAX),
    (DESCRIBE_CLUSTER, "DescribeCluster", 0),
    (61, "DescribeProducers", 0),
    (65, "DescribeTransactions", 0),
    (66, "ListTransactions", 0),
    (68, "ConsumerGroupHeartbeat", 0),
    (69, "ConsumerGroupDescribe", 0),
    (71, "GetTelemetrySubscriptions", 0),
    (72, "PushTelemetry", 0),
    (75, "DescribeTopicPartitions", 0),
];

/// The name of a request; its number where it has none here.
pub(super) fn name(api: i16) -> String {
    let known = APIS.iter().find(|(number, ..)| *number == api);
    known.map_or_else(|| format!("request {api}"), |(_, name, _)| (*name).to_owned())
}

/// Is this version written with compact lengths and tagged fields?
pub(super) fn is_compact(api: i16, version: i16) -> bool {
    APIS.iter().find(|(number, ..)| *number == api).is_some_and(|(_, _, from)| version >= *from)
}

/// The newest versions that are understood here: later ones say topics by numbers of their own, and addresses of brokers in
/// further places. A client and a broker agree on these where Seamwork stands between.
pub(super) static NEWEST: &[(i16, i16)] =
    &[(PRODUCE, 9), (FETCH, 12), (METADATA, 12), (FIND_COORDINATOR, 4), (DESCRIBE_CLUSTER, 1)];

/// What no replica could say.
pub(super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// A version that the broker doesn't know.
pub(super) const UNSUPPORTED_VERSION: i16 = 35;

/// Names of errors that are met often.
static ERRORS: &[(i16, &str)] = &[
    (-1, "UNKNOWN_SERVER_ERROR"),
    (1, "OFFSET_OUT_OF_RANGE"),
    (2, "CORRUPT_MESSAGE"),
    (UNKNOWN_TOPIC_OR_PARTITION, "UNKNOWN_TOPIC_OR_PARTITION"),
    (5, "LEADER_NOT_AVAILABLE"),
    (6, "NOT_LEADER_OR_FOLLOWER"),
    (7, "REQUEST_TIMED_OUT"),
    (8, "BROKER_NOT_AVAILABLE"),
    (9, "REPLICA_NOT_AVAILABLE"),
    (10, "MESSAGE_TOO_LARGE"),
    (14, "COORDINATOR_LOAD_IN_PROGRESS"),
    (15, "COORDINATOR_NOT_AVAILABLE"),
    (16, "NOT_COORDINATOR"),
    (17, "INVALID_TOPIC_EXCEPTION"),
    (18, "RECORD_LIST_TOO_LARGE"),
    (19, "NOT_ENOUGH_REPLICAS"),
    (20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    (22, "ILLEGAL_GENERATION"),
    (25, "UNKNOWN_MEMBER_ID"),
    (27, "REBALANCE_IN_PROGRESS"),
    (29, "TOPIC_AUTHORIZATION_FAILED"),
    (30, "GROUP_AUTHORIZATION_FAILED"),
    (31, "CLUSTER_AUTHORIZATION_FAILED"),
    (33, "UNSUPPORTED_SASL_MECHANISM"),
    (34, "ILLEGAL_SASL_STATE"),
    (UNSUPPORTED_VERSION, "UNSUPPORTED_VERSION"),
    (36, "TOPIC_ALREADY_EXISTS"),
    (45, "OUT_OF_ORDER_SEQUENCE_NUMBER"),
    (47, "INVALID_PRODUCER_EPOCH"),
    (56, "KAFKA_STORAGE_ERROR"),
    (58, "SASL_AUTHENTICATION_FAILED"),
    (74, "FENCED_LEADER_EPOCH"),
    (79, "MEMBER_ID_REQUIRED"),
    (87, "INVALID_RECORD"),
    (89, "THROTTLING_QUOTA_EXCEEDED"),
];

/// An error's name, where it is known.
pub(super) fn error_name(code: i16) -> Option<&'static str> {
    ERRORS.iter().find(|(number, _)| *number == code).map(|(_, name)| *name)
}

/// The error of a name.
pub(super) fn error_code(name: &str) -> Option<i16> {
    ERRORS.iter().find(|(_, other)| *other == name).map(|(number, _)| *number)
}
