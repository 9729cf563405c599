<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Types;

use InvalidArgumentException;

/**
 * Which types a declaration is about: a type without the wiki id, in which one of {page}, {user} and * may stand for
 * one or more characters.
 */
class Pattern {
	/** Bytes of a type, at most, the wiki id included */
	public const TYPE_BYTES = 255;

	public const PAGE = '{page}';
	public const USER = '{user}';
	public const ANY = '*';

	/**
	 * @param string $prefix What stands before the placeholder; without one, the whole type
	 * @param string|null $placeholder One of the constants, or null for none
	 * @param string $suffix What stands after it
	 */
	private function __construct(
		public readonly string $prefix,
		public readonly ?string $placeholder = null,
		public readonly string $suffix = ''
	) {
	}

	/**
	 * @param string $text As an author writes it
	 * @param string $wikiId
	 * @return self
	 * @throws InvalidArgumentException Saying what is wrong and what is allowed
	 */
	public static function parse( string $text, string $wikiId ): self {
		$problem = self::typeProblem( $text, self::TYPE_BYTES - strlen( $wikiId ) );
		if ( $problem !== null ) {
			throw new InvalidArgumentException( $problem );
		}
		if ( str_starts_with( $text, $wikiId ) ) {
			throw new InvalidArgumentException( "it begins with the wiki id, $wikiId, which must be left out" );
		}
		if ( strcspn( $text, '*{}' ) === strlen( $text ) ) {
			return new self( $text );
		}
		$parts = preg_split( '/(\{page\}|\{user\}|\*)/', $text, -1, PREG_SPLIT_DELIM_CAPTURE );
		if ( count( $parts ) > 3 ) {
			throw new InvalidArgumentException( 'it has more than one of {page}, {user} and *' );
		}
		if ( preg_match( '/[{}]/', $parts[0] . ( $parts[2] ?? '' ) ) ) {
			throw new InvalidArgumentException( 'it has "{" or "}" outside of {page} and {user}' );
		}
		return new self( ...$parts );
	}

	/**
	 * What a pattern that cannot be used may have meant: anything from its first placeholder to its last.
	 *
	 * @param string $text
	 * @param string $wikiId
	 * @return self|null A pattern that covers all the types; null: there can be none
	 */
	public static function covering( string $text, string $wikiId ): ?self {
		$text = str_starts_with( $text, $wikiId ) ? substr( $text, strlen( $wikiId ) ) : $text;
		if ( self::typeProblem( $text, self::TYPE_BYTES - strlen( $wikiId ) ) !== null ) {
			return null;
		}
		$first = strcspn( $text, '*{}' );
		if ( $first === strlen( $text ) ) {
			return new self( $text );
		}
		$suffix = preg_replace( '/^.*[*}]/s', '', $text );
		return new self( substr( $text, 0, $first ), self::ANY, str_contains( $suffix, '{' ) ? '' : $suffix );
	}

	/**
	 * @param string $type
	 * @param int $bytes How long it may be
	 * @return string|null Why there can be no such type; null: there can
	 */
	public static function typeProblem( string $type, int $bytes = self::TYPE_BYTES ): ?string {
		if ( $type === '' ) {
			return 'it is empty';
		}
		if ( strlen( $type ) > $bytes ) {
			return 'it has ' . strlen( $type ) . " bytes, at most $bytes are allowed";
		}
		return match ( preg_match( '/\p{Cc}/u', $type ) ) {
			0 => null,
			1 => 'it has a control character',
			false => 'it is not UTF-8',
		};
	}

	/** @return string The pattern as the relay knows it */
	public function forRelay(): string {
		return $this->prefix . ( $this->placeholder === null ? '' : '*' ) . $this->suffix;
	}

	/**
	 * The relay finds its policy in the same way.
	 *
	 * @param string $name A type without the wiki id
	 * @return string|null What the placeholder stands for, '' when there is none; null: the pattern does not cover it
	 */
	public function match( string $name ): ?string {
		if ( $this->placeholder === null ) {
			return $name === $this->prefix ? '' : null;
		}
		$length = strlen( $name ) - strlen( $this->prefix ) - strlen( $this->suffix );
		$covers = $length > 0 && str_starts_with( $name, $this->prefix ) && str_ends_with( $name, $this->suffix );
		return $covers ? substr( $name, strlen( $this->prefix ), $length ) : null;
	}

	/** @return bool Whether only the wiki itself may send these types */
	public function isSystem(): bool {
		return str_starts_with( $this->prefix, '@' );
	}

	/**
	 * Why the types cannot also be known without a wiki id: they would be taken for those of this or another wiki.
	 *
	 * @param string $wikiId
	 * @return string|null null: they can
	 */
	public function sharingProblem( string $wikiId ): ?string {
		return match ( true ) {
			$this->isSystem() => 'a type that begins with "@" is the wiki\'s own and cannot be shared',
			str_contains( $this->prefix . $this->suffix, ':' ) =>
				'a shared type may not have ":" in it, because what stands before it would be taken for a wiki id',
			$this->placeholder !== null && str_starts_with( $wikiId, $this->prefix ) =>
				"a shared type must differ from the wiki id, $wikiId, before its {$this->placeholder}",
			default => null,
		};
	}
}
