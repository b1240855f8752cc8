//! What is known of Redis's commands by name: which of them only read, and which replies mean a map.

/// Commands that change nothing, sorted; those that wait are not among them, because `within` should do the waiting.
const READS: &[&str] = &[
    "BITCOUNT",
    "BITPOS",
    "CLUSTER",
    "COMMAND",
    "DBSIZE",
    "DUMP",
    "ECHO",
    "EXISTS",
    "EXPIRETIME",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HTTL",
    "HVALS",
    "INFO",
    "KEYS",
    "LASTSAVE",
    "LCS",
    "LINDEX",
    "LLEN",
    "LPOS",
    "LRANGE",
    "MGET",
    "OBJECT",
    "PEXPIRETIME",
    "PFCOUNT",
    "PING",
    "PTTL",
    "PUBSUB",
    "RANDOMKEY",
    "ROLE",
    "SCAN",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SINTERCARD",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUNION",
    "TIME",
    "TTL",
    "TYPE",
    "XINFO",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREAD",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZDIFF",
    "ZINTER",
    "ZINTERCARD",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZREVRANGE",
    "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
    "ZUNION",
];

/// Does a command only read?
pub(super) fn only_reads(command: &str) -> bool {
    READS.binary_search(&command.to_ascii_uppercase().as_str()).is_ok()
}

/// Does a command of RESP2 give a map as a flat list?
pub(super) fn gives_map(command: &str, second: &str) -> bool {
    match command.to_ascii_uppercase().as_str() {
        "HGETALL" => true,
        "CONFIG" => second.eq_ignore_ascii_case("get"),
        "XINFO" => second.eq_ignore_ascii_case("stream"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(READS.is_sorted());
        for (command, expect) in
            [("get", true), ("HGETALL", true), ("SET", false), ("BLPOP", false), ("", false)]
        {
            assert_eq!(only_reads(command), expect, "{command}");
        }
    }
}
