<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use Psr\Log\LoggerInterface;

/**
 * Asks the relay over a plain socket, within a time that cannot be exceeded. MediaWiki's HTTP client takes some
 * milliseconds for what takes a tenth of one here, and limits connecting and waiting one by one.
 *
 * A relay that hangs is not asked again for REST_SECONDS, by any request on this machine; insist() is less hasty. One
 * that is not there refuses the connection at once and costs nothing.
 */
class RelayClient {
	public const REST_SECONDS = 30;

	/** Seconds that the relay may take for what must not get lost, and for how long it is not asked again for that */
	public const INSISTENT_SECONDS = 2;
	public const INSISTENT_REST_SECONDS = 5;

	/** Seconds that the relay may take for a maintenance script */
	public const PATIENT_SECONDS = 5;

	/** Bytes of the longest answer that get() takes, its head included */
	public const MAX_ANSWER_BYTES = 1 << 20;

	private const CONNECTION_TIMED_OUT = 110;
	/** How much of an answer is needed: its status, the body if it is an error, the body */
	private const HEAD = 0;
	private const ERRORS = 1;
	private const WHOLE = 2;

	private const CHUNK_BYTES = 65536;
	private const ANSWER_BYTES = 65536;
	private const MESSAGE_BYTES = 256;
	private const COOLDOWN = 'relay-timeout';
	private const INSISTENT_COOLDOWN = 'relay-hang';

	private bool $isPatient = false;

	/**
	 * @param RelayAddress $address
	 * @param float $timeout Seconds for connecting, writing and reading together
	 * @param Cooldown $cooldown
	 * @param LoggerInterface $logger
	 */
	public function __construct(
		private readonly RelayAddress $address,
		private float $timeout,
		private readonly Cooldown $cooldown,
		private readonly LoggerInterface $logger
	) {
	}

	/**
	 * Ask over the control socket only, which is what knows this wiki to be on the relay's machine.
	 *
	 * @param string $method
	 * @param string $path Of the URL, encoded
	 * @param array<string,string> $headers
	 * @param string $body
	 * @return RelayAnswer
	 */
	public function control( string $method, string $path, array $headers = [], string $body = '' ): RelayAnswer {
		$addresses = array_filter( [ $this->address->control ] );
		return $this->ask( $addresses, $this->request( $method, $path, $headers, $body ),
			$method === 'HEAD' ? self::HEAD : self::ERRORS );
	}

	/**
	 * Ask over the control socket or, when that is not there or belongs to another user, over the public address.
	 *
	 * @param string $path
	 * @param array<string,string> $headers
	 * @param string $body
	 * @return RelayAnswer
	 */
	public function post( string $path, array $headers, string $body ): RelayAnswer {
		$addresses = array_filter( [ $this->address->control, $this->address->public ] );
		return $this->ask( $addresses, $this->request( 'POST', $path, $headers, $body ), self::ERRORS );
	}

	/**
	 * As post(), for what must not get lost and has time: the relay gets more of it, and is asked although it was too
	 * slow for something else.
	 *
	 * @param string $path
	 * @param array<string,string> $headers
	 * @param string $body
	 * @return RelayAnswer
	 */
	public function insist( string $path, array $headers, string $body ): RelayAnswer {
		$addresses = array_filter( [ $this->address->control, $this->address->public ] );
		return $this->ask( $addresses, $this->request( 'POST', $path, $headers, $body ), self::ERRORS, true );
	}

	/**
	 * As post(), for what the relay knows.
	 *
	 * @param string $path
	 * @param array<string,string> $headers
	 * @return RelayAnswer With the body of a success; BROKEN: it is longer than MAX_ANSWER_BYTES
	 */
	public function get( string $path, array $headers = [] ): RelayAnswer {
		$addresses = array_filter( [ $this->address->control, $this->address->public ] );
		// What answers HTTP/1.0 does not send chunks, and ends the connection.
		return $this->ask( $addresses, $this->request( 'GET', $path, $headers, '', '1.0' ), self::WHOLE );
	}

	/**
	 * For the rest of this process ask also a relay that has just hung, and give it more time: whoever runs a
	 * maintenance script would rather wait than not know.
	 */
	public function bePatient(): void {
		$this->isPatient = true;
		$this->timeout = max( $this->timeout, self::PATIENT_SECONDS );
	}

	private function request(
		string $method, string $path, array $headers, string $body, string $version = '1.1'
	): string {
		$request = "$method $path HTTP/$version\r\nHost: relay\r\nConnection: close\r\n";
		foreach ( $headers as $name => $value ) {
			$request .= "$name: $value\r\n";
		}
		if ( $body !== '' ) {
			$request .= "Content-Type: application/json\r\nContent-Length: " . strlen( $body ) . "\r\n";
		}
		return "$request\r\n$body";
	}

	/**
	 * @param string[] $addresses Tried in this order until one takes the connection
	 * @param string $request
	 * @param int $need HEAD, ERRORS or WHOLE
	 * @param bool $insists See insist()
	 * @return RelayAnswer
	 */
	private function ask( array $addresses, string $request, int $need, bool $insists = false ): RelayAnswer {
		$rest = $insists ? self::INSISTENT_COOLDOWN : self::COOLDOWN;
		if ( $addresses && !$this->isPatient && $this->cooldown->isActive( $rest ) ) {
			return new RelayAnswer( RelayAnswer::RESTING, 'it is left alone' );
		}
		$timeout = $insists ? max( $this->timeout, self::INSISTENT_SECONDS ) : $this->timeout;
		$deadline = hrtime( true ) + (int)( $timeout * 1e9 );
		$answer = new RelayAnswer( RelayAnswer::ABSENT, 'there is no control socket' );
		foreach ( $addresses as $address ) {
			$answer = $this->exchange( $address, $request, $need, $deadline );
			if ( $answer->status === RelayAnswer::TIMEOUT ) {
				$this->cooldown->start( self::COOLDOWN, self::REST_SECONDS );
				if ( $insists ) {
					$this->cooldown->start( self::INSISTENT_COOLDOWN, self::INSISTENT_REST_SECONDS );
				}
				$this->logger->error(
					'The relay at {address} did not answer within {timeout} s; it is left alone for {rest} s. '
						. 'If it hangs, end it: the next page view starts it again.',
					[ 'address' => $address, 'timeout' => $timeout, 'rest' => self::REST_SECONDS ]
				);
			}
			if ( $answer->status !== RelayAnswer::ABSENT ) {
				break;
			}
		}
		if ( $insists && $answer->isOk() ) {
			// What it was too slow for can be told to it again.
			$this->cooldown->end( self::COOLDOWN );
		}
		return $answer;
	}

	private function exchange( string $address, string $request, int $need, int $deadline ): RelayAnswer {
		$left = max( 1, $deadline - hrtime( true ) ) / 1e9;
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		$stream = @stream_socket_client( $address, $code, $error, $left );
		if ( !$stream ) {
			$slow = $code === self::CONNECTION_TIMED_OUT;
			return new RelayAnswer( $slow ? RelayAnswer::TIMEOUT : RelayAnswer::ABSENT, (string)$error );
		}
		stream_set_blocking( $stream, false );
		// A relay that refuses a request may do so before it has read it all, so a broken pipe is not the end.
		$answer = $this->write( $stream, $request, $deadline ) ?? $this->read( $stream, $need, $deadline );
		fclose( $stream );
		return $answer;
	}

	/**
	 * @param resource $stream
	 * @param string $request
	 * @param int $deadline
	 * @return RelayAnswer|null null: go on and read
	 */
	private function write( $stream, string $request, int $deadline ): ?RelayAnswer {
		for ( $at = 0, $length = strlen( $request ); $at < $length; $at += $written ) {
			// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
			$written = @fwrite( $stream, $at || $length > self::CHUNK_BYTES
				? substr( $request, $at, self::CHUNK_BYTES )
				: $request );
			if ( $written === false ) {
				return null;
			}
			if ( $written === 0 && !$this->wait( $stream, true, $deadline ) ) {
				return new RelayAnswer( RelayAnswer::TIMEOUT, 'it was too slow' );
			}
		}
		return null;
	}

	/**
	 * @param resource $stream
	 * @param int $need
	 * @param int $deadline
	 * @return RelayAnswer
	 */
	private function read( $stream, int $need, int $deadline ): RelayAnswer {
		$text = '';
		$limit = $need === self::WHOLE ? self::MAX_ANSWER_BYTES : self::ANSWER_BYTES;
		while ( !$this->isComplete( $text, $need ) && strlen( $text ) < $limit ) {
			if ( !$this->wait( $stream, false, $deadline ) ) {
				return new RelayAnswer( RelayAnswer::TIMEOUT, 'it was too slow' );
			}
			// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
			$part = (string)@fread( $stream, 8192 );
			if ( $part === '' && feof( $stream ) ) {
				break;
			}
			$text .= $part;
		}
		if ( !preg_match( '~^HTTP/1\.[01] (\d{3})\b~', $text, $match ) ) {
			return new RelayAnswer( RelayAnswer::BROKEN, $text === '' ? 'it hung up' : 'it did not answer in HTTP' );
		}
		$status = (int)$match[1];
		if ( $status >= 400 ) {
			return new RelayAnswer( $status, $this->errorMessage( $text ) );
		}
		if ( $need !== self::WHOLE ) {
			return new RelayAnswer( $status );
		}
		if ( strlen( $text ) >= $limit ) {
			return new RelayAnswer( RelayAnswer::BROKEN, "its answer has more than $limit bytes" );
		}
		return new RelayAnswer( $status, '', substr( (string)strstr( $text, "\r\n\r\n" ), 4 ) );
	}

	/** @return bool Whether nothing more of the answer is needed */
	private function isComplete( string $text, int $need ): bool {
		$end = strpos( $text, "\r\n\r\n" );
		if ( $end === false ) {
			return false;
		}
		$hasBody = $need === self::WHOLE
			|| ( $need === self::ERRORS && preg_match( '~^HTTP/1\.[01] [45]~', $text ) );
		if ( !$hasBody || !preg_match( '/\r\nContent-Length: *(\d+)\r\n/i', $text, $match ) ) {
			return !$hasBody;
		}
		return strlen( $text ) >= $end + 4 + (int)$match[1];
	}

	/** @return string The "message" of {"error":{"code","message"}}, or what there was */
	private function errorMessage( string $text ): string {
		$body = (string)strstr( $text, "\r\n\r\n" );
		// From brace to brace, because the body may come in chunks.
		$error = preg_match( '/\{.*\}/s', $body, $match ) ? json_decode( $match[0], true ) : null;
		$message = $error['error']['message'] ?? trim( $body );
		if ( !is_string( $message ) ) {
			return '';
		}
		$line = preg_replace( '/[\p{Cc}\p{Zl}\p{Zp}]+/u', ' ', mb_scrub( $message, 'UTF-8' ) );
		return mb_strcut( $line, 0, self::MESSAGE_BYTES, 'UTF-8' );
	}

	/**
	 * @param resource $stream
	 * @param bool $toWrite
	 * @param int $deadline
	 * @return bool false: the time is over
	 */
	private function wait( $stream, bool $toWrite, int $deadline ): bool {
		do {
			$left = intdiv( $deadline - hrtime( true ), 1000 );
			if ( $left <= 0 ) {
				return false;
			}
			$read = $toWrite ? [] : [ $stream ];
			$write = $toWrite ? [ $stream ] : [];
			$except = null;
			// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
			$ready = @stream_select( $read, $write, $except, intdiv( $left, 1000000 ), $left % 1000000 );
			// false: a signal came in between
		} while ( !$ready );
		return true;
	}
}
