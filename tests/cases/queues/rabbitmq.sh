# A RabbitMQ that is nobody else's: its folders, its names and its ports are its own.
epmd -port "$2" -address 127.0.0.1 &
printf 'listeners.tcp.1 = 127.0.0.1:%s\nlog.console = false\n' "$1" > "$TMPDIR/rabbitmq.conf"
echo '[].' > "$TMPDIR/plugins"
export HOME="$TMPDIR" RABBITMQ_NODENAME="seam$1@localhost" RABBITMQ_MNESIA_BASE="$TMPDIR/mnesia"
export RABBITMQ_LOG_BASE="$TMPDIR/log" RABBITMQ_CONFIG_FILE="$TMPDIR/rabbitmq.conf"
export RABBITMQ_ENABLED_PLUGINS_FILE="$TMPDIR/plugins" RABBITMQ_DIST_PORT="$3" ERL_EPMD_PORT="$2"
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" RUNNING_UNDER_SYSTEMD=1
exec /usr/lib/rabbitmq/bin/rabbitmq-server
