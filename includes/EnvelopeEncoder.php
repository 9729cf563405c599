<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use InvalidArgumentException;
use JsonException;

/**
 * Writes messages the way POST /api/publish wants them, and refuses what the relay would refuse: one bad message
 * would make it refuse all others of the request. Each message gets a random key here, once, so that the relay knows it
 * again when it comes twice.
 */
class EnvelopeEncoder {
	/** Bytes of one publish request, at most */
	public const BODY_BYTES = 1 << 20;

	/** Recipients of one message, at most */
	public const RECIPIENTS = 128;

	private const TYPE_BYTES = 255;
	/** The relay takes 32 levels, of which the envelope is one. */
	private const DEPTH = 31;
	private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR;

	/**
	 * @param mixed $type See WebSocket::send()
	 * @param mixed $msg
	 * @param string|null $from Client id of the sender; null: none
	 * @param mixed $to
	 * @param string|null $actor See ClientId::actor()
	 * @return Envelope[] Several when there are more recipients than fit into one
	 * @throws InvalidArgumentException Saying what is wrong and what is allowed
	 */
	public function encode( $type, $msg, ?string $from, $to, ?string $actor = null ): array {
		$this->checkType( $type );
		return $this->envelopes( $type, $this->json( $msg ), $from, $this->recipients( $to ), $actor );
	}

	/**
	 * As encode(), for a message that is JSON already and stays as it is.
	 *
	 * @param string $type
	 * @param string $json
	 * @param string|null $from
	 * @param mixed $to
	 * @return Envelope[]
	 * @throws InvalidArgumentException
	 */
	public function wrap( string $type, string $json, ?string $from, $to ): array {
		$this->checkType( $type );
		try {
			json_decode( $json, false, self::DEPTH + 1, JSON_THROW_ON_ERROR );
		} catch ( JsonException $e ) {
			throw new InvalidArgumentException( 'the message is not JSON: ' . $e->getMessage(), 0, $e );
		}
		return $this->envelopes( $type, $json, $from, $this->recipients( $to ), null );
	}

	/**
	 * @param string $type Of this wiki; it may end with "*"
	 * @return Envelope See Envelope::$forgets
	 */
	public function forgetting( string $type ): Envelope {
		$this->checkType( $type );
		$json = '{"type":' . json_encode( $type, self::JSON ) . ',"forget":true,"key":"' . self::newKey() . '"}';
		return new Envelope( $type, '', null, [], null, $json, true );
	}

	/**
	 * @param string $type
	 * @param string $msg JSON
	 * @param string|null $from
	 * @param string[] $recipients
	 * @param string|null $actor
	 * @return Envelope[]
	 */
	private function envelopes( string $type, string $msg, ?string $from, array $recipients, ?string $actor ): array {
		$start = '{"type":' . json_encode( $type, self::JSON ) . ",\"msg\":$msg";
		if ( $from !== null ) {
			if ( !ClientId::isValid( $from ) ) {
				throw new InvalidArgumentException( 'the sender is not a client id, 1 to 64 of A-Z a-z 0-9 _ . : -' );
			}
			$start .= ",\"from\":\"$from\"";
			if ( $actor !== null ) {
				$start .= ',"actor":' . json_encode( $actor, self::JSON );
			}
		}
		$envelopes = [];
		foreach ( array_chunk( $recipients, self::RECIPIENTS ) ?: [ [] ] as $some ) {
			$json = $start . ( $some ? ',"to":' . json_encode( $some, self::JSON ) : '' )
				. ',"key":"' . self::newKey() . '"}';
			if ( strlen( $json ) + strlen( $this->body( [] ) ) > self::BODY_BYTES ) {
				throw new InvalidArgumentException( 'the message is larger than 1 MiB' );
			}
			$envelopes[] = new Envelope( $type, $msg, $from, $some, $actor, $json );
		}
		return $envelopes;
	}

	/** @return string Nobody else has it: 128 random bits in the characters of a client id */
	private static function newKey(): string {
		return rtrim( strtr( base64_encode( random_bytes( 16 ) ), '+/', '-_' ), '=' );
	}

	/**
	 * @param string[] $envelopes The JSON of each
	 * @return string The body of a publish request
	 */
	public function body( array $envelopes ): string {
		return '{"messages":[' . implode( ',', $envelopes ) . ']}';
	}

	private function checkType( mixed $type ): void {
		if ( !is_string( $type ) || $type === '' ) {
			throw new InvalidArgumentException( 'the type is not a string, or empty' );
		}
		if ( strlen( $type ) > self::TYPE_BYTES ) {
			throw new InvalidArgumentException(
				'the type has ' . strlen( $type ) . ' bytes, at most ' . self::TYPE_BYTES . ' are allowed'
			);
		}
		if ( !mb_check_encoding( $type, 'UTF-8' ) ) {
			throw new InvalidArgumentException( 'the type is not UTF-8' );
		}
		if ( preg_match( '/\p{Cc}/u', $type ) ) {
			throw new InvalidArgumentException( 'the type has a control character' );
		}
	}

	private function json( mixed $msg ): string {
		try {
			return json_encode( $msg, self::JSON, self::DEPTH );
		} catch ( JsonException $e ) {
			throw new InvalidArgumentException( 'JSON cannot hold the message: ' . $e->getMessage(), 0, $e );
		}
	}

	/**
	 * @param mixed $to
	 * @return string[] Client ids; none: everyone
	 */
	private function recipients( mixed $to ): array {
		if ( is_string( $to ) ) {
			$to = explode( ',', $to );
		} elseif ( !is_array( $to ) ) {
			$to = [ $to ];
		}
		$ids = [];
		foreach ( $to as $id ) {
			$id = is_int( $id ) ? (string)$id : $id;
			$id = is_string( $id ) ? trim( $id ) : $id;
			if ( $id === null || $id === false || $id === '' || $id === '0' ) {
				continue;
			}
			if ( !ClientId::isValid( $id ) ) {
				throw new InvalidArgumentException( 'a recipient is not a client id, 1 to 64 of A-Z a-z 0-9 _ . : -' );
			}
			$ids[] = $id;
		}
		return array_values( array_unique( $ids ) );
	}
}
