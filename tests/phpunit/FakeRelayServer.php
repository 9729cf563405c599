<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

/**
 * The stand-in for the relay that FakeRelay runs as a process of its own. It prints "ready", answers one connection
 * after the other in the way that its mode names, and appends each request that it has read to its log, as a line of
 * JSON.
 */
class FakeRelayServer {
	/** Answer to GET /api/stats, longer than the first part of an answer that is read at once */
	private const STATS = '{"wiki":"mydb:","version":"1.2.3","uptime":93784,"registered":1750000000,'
		. '"origins":["https://wiki.example","http://wiki.example"],"private":false,"open":true,"anonymousSend":false,'
		. '"keys":2,"types":[{"pattern":"mydb:@page/*","send":"wiki","read":"anyone","token":true,"presence":false},'
		. '{"pattern":"mydb:Foo\u001b[2J","send":"right:patrol","read":"user","presence":true,'
		. '"history":{"count":20,"seconds":300}}],"connections":3,"clients":5,"users":1,"subscriptions":9,'
		. '"revocations":4,"refused":{"forbidden":7,"expired":1}}';

	/** @var array<string,string> Path of a registered wiki => ETag */
	private array $wikis = [];

	public function __construct(
		private readonly string $address,
		private readonly string $mode,
		private readonly string $log
	) {
	}

	public function run(): void {
		$server = stream_socket_server( $this->address );
		echo "ready\n";
		while ( true ) {
			$stream = stream_socket_accept( $server, 3600 );
			if ( $stream ) {
				$this->serve( $stream );
				fclose( $stream );
			}
		}
	}

	/**
	 * @param resource $stream
	 */
	private function serve( $stream ): void {
		switch ( $this->mode ) {
			case 'hangup':
				return;
			case 'garbage':
				fwrite( $stream, "SSH-2.0-Test\r\n\r\n" );
				return;
			case 'trickle':
				// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
				for ( $i = 0; $i < 500 && @fwrite( $stream, 'H' ); $i++ ) {
					usleep( 10000 );
				}
				return;
			case 'early':
				fread( $stream, 100 );
				$this->answer( $stream, 413, $this->error( 'too large' ) );
				stream_socket_shutdown( $stream, STREAM_SHUT_WR );
				usleep( 200000 );
				return;
			default:
				$request = $this->readRequest( $stream );
				file_put_contents( $this->log, json_encode( $request ) . "\n", FILE_APPEND );
				$this->respond( $stream, $request );
		}
	}

	/**
	 * @param resource $stream
	 * @return array
	 */
	private function readRequest( $stream ): array {
		$text = '';
		while ( !str_contains( $text, "\r\n\r\n" ) && !feof( $stream ) ) {
			$text .= fread( $stream, 8192 );
		}
		[ $head, $body ] = explode( "\r\n\r\n", $text, 2 );
		$lines = explode( "\r\n", $head );
		[ $method, $path ] = explode( ' ', array_shift( $lines ) );
		$headers = [];
		foreach ( $lines as $line ) {
			[ $name, $value ] = explode( ': ', $line, 2 );
			$headers[strtolower( $name )] = $value;
		}
		while ( strlen( $body ) < (int)( $headers['content-length'] ?? 0 ) && !feof( $stream ) ) {
			$body .= fread( $stream, 65536 );
		}
		return [ 'method' => $method, 'path' => $path, 'headers' => $headers, 'body' => $body ];
	}

	/**
	 * @param resource $stream
	 * @param array $request
	 */
	private function respond( $stream, array $request ): void {
		[ 'method' => $method, 'path' => $path, 'body' => $body ] = $request;
		if ( $this->mode === 'refuse-wiki' && $method === 'PUT' ) {
			$this->answer( $stream, 400, $this->error( 'no such key' ) );
		} elseif ( str_starts_with( $path, '/api/wikis/' ) && $method === 'PUT' ) {
			$this->wikis[$path] = hash( 'sha256', $body );
			$this->answer( $stream, 200, '{"etag":"' . $this->wikis[$path] . '"}' );
		} elseif ( str_starts_with( $path, '/api/wikis/' ) ) {
			$etag = $this->wikis[$path] ?? null;
			$isSame = ( $request['headers']['if-none-match'] ?? '' ) === "\"$etag\"";
			$this->answer( $stream, $etag === null ? 404 : ( $isSame ? 304 : 200 ) );
		} elseif ( in_array( $this->mode, [ '429', '503' ], true ) ) {
			$this->answer( $stream, (int)$this->mode, $this->error( 'too much' ) );
		} elseif ( $this->mode === 'refuse-bad' && str_contains( $body, '"bad' ) ) {
			$this->answer( $stream, 403, $this->error( 'message 0: bad type' ) );
		} elseif ( $this->mode === 'unknown-wiki' || ( $this->mode === 'know-registered' && !$this->wikis ) ) {
			$this->answer( $stream, 401, $this->error( 'unknown wiki' ) );
		} elseif ( $path === '/api/disconnect' ) {
			if ( $this->mode === 'slow' ) {
				sleep( 1 );
			}
			$this->answer( $stream, 200, '{"closed":1}' );
		} elseif ( $path === '/api/stats' ) {
			$this->answer( $stream, 200, $this->mode === 'large' ? str_repeat( 'x', 1 << 20 ) : self::STATS );
		} elseif ( $this->mode === 'chunked' ) {
			$error = $this->error( "line\nbreak" );
			fwrite( $stream, "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n"
				. dechex( strlen( $error ) ) . "\r\n$error\r\n0\r\n\r\n" );
		} else {
			$this->answer( $stream, 200, '{"published":[]}' );
		}
	}

	/**
	 * @param resource $stream
	 * @param int $status
	 * @param string $body
	 */
	private function answer( $stream, int $status, string $body = '' ): void {
		fwrite( $stream, "HTTP/1.1 $status Status\r\nContent-Length: " . strlen( $body ) . "\r\n\r\n$body" );
	}

	private function error( string $message ): string {
		return json_encode( [ 'error' => [ 'code' => 'test', 'message' => $message ] ] );
	}
}
