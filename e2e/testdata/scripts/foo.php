#!/usr/bin/php
<?php
// foo.php URL TEXT [ID]   tells every page that Foo's data has changed.
// With an ID it stays, and prints what is sent to everybody or to that ID.

/** A WebSocket without a library: what it has of RFC 6455 is enough for the relay, which never splits a message. */
class RelaySocket {
	public const TEXT = 1;
	public const CLOSE = 8;
	public const PING = 9;
	public const PONG = 10;

	/** @var resource */
	private $stream;

	public function __construct( string $url, string $token ) {
		[ 'scheme' => $scheme, 'host' => $host, 'port' => $port ] = parse_url( $url );
		$this->stream = stream_socket_client( ( $scheme === 'wss' ? 'tls' : 'tcp' ) . "://$host:$port" );
		if ( !$this->stream ) {
			exit( 1 ); // PHP has said why
		}
		stream_set_timeout( $this->stream, 90 ); // the relay pings whoever is silent, long before that
		$key = base64_encode( random_bytes( 16 ) );
		fwrite( $this->stream, "GET / HTTP/1.1\r\nHost: $host:$port\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" .
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: $key\r\n" .
			( $token ? "Authorization: Bearer $token\r\n" : '' ) . "\r\n" );
		$answer = (string)stream_get_line( $this->stream, 8192, "\r\n\r\n" );
		$proof = base64_encode( sha1( $key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11', true ) );
		if ( !str_starts_with( $answer, 'HTTP/1.1 101 ' ) || !str_contains( $answer, $proof ) ) {
			throw new RuntimeException( "The relay refused: $answer" );
		}
	}

	public function send( int $opcode, string $payload ): void {
		$n = strlen( $payload );
		$length = $n < 126 ? chr( 128 | $n ) : ( $n < 65536 ? pack( 'Cn', 254, $n ) : pack( 'CJ', 255, $n ) );
		$mask = random_bytes( 4 );
		$masked = $payload ^ str_repeat( $mask, intdiv( $n, 4 ) + 1 ); // as long as the payload
		fwrite( $this->stream, chr( 128 | $opcode ) . $length . $mask . $masked );
	}

	/** @return array Opcode and payload; CLOSE as well when the connection is lost. */
	public function receive(): array {
		$head = stream_get_contents( $this->stream, 2 );
		if ( strlen( $head ) < 2 ) {
			return [ self::CLOSE, '' ];
		}
		[ 1 => $opcode, 2 => $n ] = unpack( 'C2', $head );
		if ( $n === 126 ) {
			$n = unpack( 'n', stream_get_contents( $this->stream, 2 ) )[1];
		} elseif ( $n === 127 ) {
			$n = unpack( 'J', stream_get_contents( $this->stream, 8 ) )[1];
		}
		return [ $opcode & 15, $n ? stream_get_contents( $this->stream, $n ) : '' ];
	}
}

[ , $url, $text, $id ] = $argv + [ 3 => null ];
$socket = new RelaySocket( $url, (string)getenv( 'WEBSOCKET_TOKEN' ) );
$envelope = [ 'type' => 'FooDataChanged', 'msg' => $text ] + ( $id ? [ 'from' => $id ] : [] );
$socket->send( RelaySocket::TEXT, json_encode( $envelope ) );
if ( !$id ) {
	$socket->send( RelaySocket::CLOSE, pack( 'n', 1000 ) );
}
do {
	[ $opcode, $payload ] = $socket->receive();
	if ( $opcode === RelaySocket::TEXT && $id ) {
		print "$payload\n";
	} elseif ( $opcode === RelaySocket::PING ) {
		$socket->send( RelaySocket::PONG, $payload );
	}
} while ( $opcode !== RelaySocket::CLOSE );
