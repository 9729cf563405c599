<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

/**
 * What the relay knows about the wiki, as text for an administrator.
 */
class RelayReport {
	private const WIDTH = 16;

	/** Of the registration, by status: see Registrar::check() */
	private const REGISTRATIONS = [
		200 => 'with other settings or keys than the wiki has now; the next page view corrects that',
		304 => 'as the wiki is now',
		404 => 'by the relay\'s own configuration file only',
	];

	/**
	 * @param array $stats What GET /api/stats answers a wiki
	 * @param int $registration Status of Registrar::check()
	 * @return string Lines, each with a name and what there is to say
	 */
	public function format( array $stats, int $registration ): string {
		$yes = static fn ( string $name ) => ( $stats[$name] ?? false ) ? 'yes' : 'no';
		$number = static fn ( string $name ) => (string)(int)( $stats[$name] ?? 0 );
		$lines = [
			'Wiki' => $this->text( $stats['wiki'] ?? '' ),
			'Relay' => 'version ' . $this->text( $stats['version'] ?? '?' ) . ', up '
				. $this->duration( (int)( $stats['uptime'] ?? 0 ) ),
			'Registered' => $this->registered( $stats['registered'] ?? null, $registration ),
			'Origins' => $this->list( $stats['origins'] ?? [] ),
			'Private' => $yes( 'private' ),
			'Open types' => $yes( 'open' ),
			'Anonymous send' => $yes( 'anonymousSend' ),
			'Keys' => $number( 'keys' ),
			'Connections' => $number( 'connections' ),
			'Clients' => $number( 'clients' ),
			'Users' => $number( 'users' ),
			'Subscriptions' => $number( 'subscriptions' ),
			'Revocations' => $number( 'revocations' ),
			'Refused' => $this->refused( $stats['refused'] ?? [] ),
		];
		$text = '';
		foreach ( $lines as $name => $line ) {
			$text .= $this->line( $name, $line );
		}
		$types = is_array( $stats['types'] ?? null ) ? $stats['types'] : [];
		$text .= $this->line( 'Declared types', (string)count( $types ) );
		foreach ( $types as $type ) {
			$text .= '  ' . $this->text( $type['pattern'] ?? '?' ) . ': ' . $this->policy( $type ) . "\n";
		}
		return $text;
	}

	/**
	 * @param string $name
	 * @param string $text
	 * @return string A line of the report
	 */
	public function line( string $name, string $text ): string {
		return str_pad( $name, self::WIDTH ) . "$text\n";
	}

	private function registered( mixed $time, int $registration ): string {
		$when = is_int( $time ) ? wfTimestamp( TS_ISO_8601, $time ) . ', ' : '';
		return $when . ( self::REGISTRATIONS[$registration]
			?? 'whether as the wiki is now cannot be seen from here (there is no control socket)' );
	}

	private function refused( mixed $refused ): string {
		$parts = [];
		foreach ( is_array( $refused ) ? $refused : [] as $code => $count ) {
			$parts[] = $this->text( $code ) . ' ' . (int)$count;
		}
		return $parts ? implode( ', ', $parts ) : 'nothing';
	}

	private function policy( array $type ): string {
		$parts = [
			'send ' . $this->text( $type['send'] ?? 'wiki' ),
			'read ' . $this->text( $type['read'] ?? 'anyone' ),
		];
		foreach ( [ 'token' => 'subscription token', 'presence' => 'presence' ] as $name => $word ) {
			if ( $type[$name] ?? false ) {
				$parts[] = $word;
			}
		}
		$count = (int)( $type['history']['count'] ?? 0 );
		if ( $count ) {
			$parts[] = "history $count messages, " . (int)( $type['history']['seconds'] ?? 0 ) . ' s';
		}
		return implode( ', ', $parts );
	}

	private function list( mixed $items ): string {
		$items = array_map( [ $this, 'text' ], is_array( $items ) ? array_values( $items ) : [] );
		return $items ? implode( ' ', $items ) : 'none';
	}

	private function duration( int $seconds ): string {
		return $seconds < 3600
			? intdiv( $seconds, 60 ) . ' min ' . $seconds % 60 . ' s'
			: intdiv( $seconds, 86400 ) . ' d ' . intdiv( $seconds % 86400, 3600 ) . ' h '
				. intdiv( $seconds % 3600, 60 ) . ' min';
	}

	/** @return string Without what a terminal would take for a command */
	private function text( mixed $value ): string {
		return is_scalar( $value )
			? preg_replace( '/[\p{C}\p{Zl}\p{Zp}]+/u', ' ', mb_scrub( (string)$value, 'UTF-8' ) )
			: '?';
	}
}
