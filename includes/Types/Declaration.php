<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Types;

use InvalidArgumentException;
use MediaWiki\Extension\WebSocket\Settings;

/**
 * What an extension or the administrator says about the types that a pattern covers.
 */
class Declaration {
	/** Only the wiki itself; only those with an account; whoever may send at all; everything else is a right */
	public const SEND_WIKI = 'wiki';
	public const SEND_USER = 'user';
	public const SEND_ANYONE = 'anyone';

	/** Whoever may read the wiki; only those with an account; whoever may read the page; everything else is a right */
	public const READ_ANYONE = '*';
	public const READ_USER = 'user';
	public const READ_PAGE = 'page';

	/** Messages and seconds of history, at most, and the seconds where only the messages are given */
	public const HISTORY_COUNT = 10000;
	public const HISTORY_SECONDS = 30 * 86400;
	public const HISTORY_DEFAULT_SECONDS = 300;

	/** The relay has no word for nobody: types that nobody may use can be read by those who may read everything. */
	private const DENIED_TO = 'websocket-admin';

	private const MEMBERS = [
		'send' => self::SEND_WIKI,
		'read' => self::READ_ANYONE,
		'token' => false,
		'shared' => false,
		'presence' => false,
		'history' => 0,
	];
	private const RIGHT = '/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/D';

	/**
	 * @param Pattern $pattern
	 * @param string $send One of the constants, or a right
	 * @param string $read One of the constants, or a right
	 * @param bool $needsToken Whether to subscribe takes a subscription token
	 * @param bool $isShared Whether the types are also known without the wiki id
	 * @param bool $hasPresence Whether subscribers may see who else is there
	 * @param array{count:int,seconds:int} $history How many messages are kept, for how long
	 */
	private function __construct(
		public readonly Pattern $pattern,
		public readonly string $send,
		public readonly string $read,
		public readonly bool $needsToken = false,
		public readonly bool $isShared = false,
		public readonly bool $hasPresence = false,
		public readonly array $history = [ 'count' => 0, 'seconds' => 0 ]
	) {
	}

	/**
	 * @param string $pattern See Pattern
	 * @param mixed $members See README.md, Declaring types
	 * @param string $wikiId
	 * @return self
	 * @throws InvalidArgumentException Saying what is wrong and what is allowed
	 */
	public static function parse( string $pattern, mixed $members, string $wikiId ): self {
		$parsed = Pattern::parse( $pattern, $wikiId );
		if ( !is_array( $members ) ) {
			throw new InvalidArgumentException( 'what is declared is not an object, like { "read": "user" }' );
		}
		$unknown = array_diff_key( $members, self::MEMBERS );
		if ( $unknown ) {
			throw new InvalidArgumentException( 'it has ' . Settings::quote( (string)array_key_first( $unknown ) )
				. ', and there are only ' . implode( ', ', array_keys( self::MEMBERS ) ) );
		}
		$members += self::MEMBERS;
		foreach ( [ 'token', 'shared', 'presence' ] as $name ) {
			if ( !is_bool( $members[$name] ) ) {
				throw new InvalidArgumentException( "\"$name\" is " . Settings::quote( $members[$name] )
					. ', neither true nor false' );
			}
		}
		$send = self::send( $members['send'], $parsed );
		$read = self::read( $members['read'], $parsed );
		$problem = $members['shared'] ? $parsed->sharingProblem( $wikiId ) : null;
		if ( $problem !== null ) {
			throw new InvalidArgumentException( $problem );
		}
		$needsToken = $members['token'] || $read === self::READ_PAGE || $parsed->placeholder === Pattern::USER;
		$history = self::history( $members['history'] );
		return new self( $parsed, $send, $read, $needsToken, $members['shared'], $members['presence'], $history );
	}

	/**
	 * @param Pattern $pattern
	 * @param bool $isShared
	 * @return self Types that nobody may use
	 */
	public static function denied( Pattern $pattern, bool $isShared ): self {
		return new self( $pattern, self::SEND_WIKI, self::DENIED_TO, false, $isShared );
	}

	/**
	 * @param string $wikiId
	 * @return array<string,array> Pattern of the relay => policy, see relay/auth
	 */
	public function policies( string $wikiId ): array {
		$policies = [];
		foreach ( $this->isShared ? [ $wikiId, '' ] : [ $wikiId ] as $prefix ) {
			$pattern = $prefix . $this->pattern->forRelay();
			$policy = [
				'pattern' => $pattern,
				'send' => self::isRight( $this->send ) ? "right:$this->send" : $this->send,
				'read' => $this->relayRead(),
				'token' => $this->needsToken,
				'presence' => $this->hasPresence,
			];
			if ( $this->history['count'] > 0 ) {
				$policy['history'] = $this->history;
			}
			$policies[$pattern] = $policy;
		}
		return $policies;
	}

	/** @return string[] The rights that somebody may need */
	public function rights(): array {
		$rights = self::isRight( $this->send ) ? [ $this->send ] : [];
		return self::isRight( $this->read ) ? [ ...$rights, $this->read ] : $rights;
	}

	/** @return string|null The right that a reader needs; null: none */
	public function readRight(): ?string {
		return self::isRight( $this->read ) ? $this->read : null;
	}

	private function relayRead(): string {
		if ( $this->pattern->placeholder === Pattern::USER && !self::isRight( $this->read ) ) {
			return self::READ_USER;
		}
		return match ( $this->read ) {
			self::READ_USER => 'user',
			// Whether somebody may read a page, only the wiki knows: it says so with a token.
			self::READ_ANYONE, self::READ_PAGE => 'anyone',
			default => "right:$this->read",
		};
	}

	private static function isRight( string $who ): bool {
		return match ( $who ) {
			self::SEND_WIKI, self::SEND_USER, self::SEND_ANYONE, self::READ_ANYONE, self::READ_PAGE => false,
			default => true,
		};
	}

	private static function send( mixed $send, Pattern $pattern ): string {
		if ( $pattern->isSystem() && $send !== self::SEND_WIKI ) {
			throw new InvalidArgumentException( '"send" must be "wiki", which alone sends types that begin with "@"' );
		}
		if ( !in_array( $send, [ self::SEND_WIKI, self::SEND_USER, self::SEND_ANYONE ], true ) ) {
			self::checkRight( 'send', $send, '"wiki", "user", "anyone"' );
		}
		return $send;
	}

	private static function read( mixed $read, Pattern $pattern ): string {
		if ( $read === self::READ_PAGE && $pattern->placeholder !== Pattern::PAGE ) {
			throw new InvalidArgumentException( '"read" is "page", but the pattern has no {page}' );
		}
		if ( !in_array( $read, [ self::READ_ANYONE, self::READ_USER, self::READ_PAGE ], true ) ) {
			self::checkRight( 'read', $read, '"*", "user", "page"' );
		}
		return $read;
	}

	private static function checkRight( string $member, mixed $right, string $others ): void {
		// A word of the other member would be a right that nobody has, and its author would not know why.
		if ( !is_string( $right ) || !self::isRight( $right ) || !preg_match( self::RIGHT, $right ) ) {
			throw new InvalidArgumentException( "\"$member\" is " . Settings::quote( $right )
				. ", which is none of $others, and no user right" );
		}
	}

	/** @return array{count:int,seconds:int} */
	private static function history( mixed $history ): array {
		if ( is_int( $history ) ) {
			$history = [ 'count' => $history, 'seconds' => $history === 0 ? 0 : self::HISTORY_DEFAULT_SECONDS ];
		}
		$isPair = is_array( $history ) && count( $history ) === 2;
		$count = $isPair ? $history['count'] ?? null : null;
		$seconds = $isPair ? $history['seconds'] ?? null : null;
		$isGood = is_int( $count ) && is_int( $seconds )
			&& $count >= 0 && $count <= self::HISTORY_COUNT && $seconds >= 0 && $seconds <= self::HISTORY_SECONDS
			&& ( $count === 0 ) === ( $seconds === 0 );
		if ( !$isGood ) {
			throw new InvalidArgumentException( '"history" must be a number of messages, at most ' . self::HISTORY_COUNT
				. ', or { "count": messages, "seconds": at most ' . self::HISTORY_SECONDS . ' }' );
		}
		return [ 'count' => $count, 'seconds' => $seconds ];
	}
}
