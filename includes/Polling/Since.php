<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

/**
 * What a page has seen of a type: everything up to an offset, everything up to a time, or nothing that it would miss.
 */
class Since {
	/** What a page sends that wants nothing from before */
	public const NOTHING = '-';

	/** The last second of the year 9999: databases know none after it */
	private const LAST_SECOND = 253402300799;

	/**
	 * @param int|null $offset null: unknown
	 * @param int|null $time Unix time at which that was the latest, or that the page shows the state of; null: unknown
	 */
	public function __construct(
		public readonly ?int $offset,
		public readonly ?int $time
	) {
	}

	/**
	 * @param string $text "OFFSET:TIME", where one may be missing, or "-"
	 * @return self|null null: it is something else
	 */
	public static function parse( string $text ): ?self {
		if ( $text === self::NOTHING ) {
			return new self( null, null );
		}
		if ( !preg_match( '/^(\d{1,15})?:(\d{1,12})?$/D', $text, $match, PREG_UNMATCHED_AS_NULL ) || $text === ':'
			|| (int)( $match[2] ?? 0 ) > self::LAST_SECOND ) {
			return null;
		}
		$number = static fn ( ?string $digits ): ?int => $digits === null ? null : (int)$digits;
		return new self( $number( $match[1] ), $number( $match[2] ?? null ) );
	}
}
