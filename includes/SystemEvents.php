<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

/**
 * Publishes the wiki's own events, on types that nobody but the wiki can send to.
 */
class SystemEvents {
	public function __construct(
		private readonly Publisher $publisher,
		private readonly WikiIdentity $wiki,
		private readonly ClientId $clientId
	) {
	}

	/**
	 * @param int $pageId Without an id (0) there is no type to publish on
	 * @param array<string,mixed> $event Null and '' are left out
	 */
	public function publishPageEvent( int $pageId, array $event ): void {
		if ( $pageId > 0 ) {
			$this->publish( "@page/$pageId", [ 'event' => $event['event'], 'page' => $pageId ] + $event );
		}
	}

	/**
	 * @param array<string,mixed> $change Null and '' are left out
	 */
	public function publishChange( array $change ): void {
		$this->publish( '@changes', $change );
	}

	/**
	 * What was told about a page is not for everybody any more: nobody is to get it who comes back.
	 *
	 * @param int|null $pageId null: about any page
	 */
	public function forgetPage( ?int $pageId ): void {
		if ( $pageId !== 0 ) {
			$this->publisher->forget( $this->wiki->id . '@page/' . ( $pageId ?? '*' ) );
		}
	}

	/** The same for what was told about all changes. */
	public function forgetChanges(): void {
		$this->publisher->forget( $this->wiki->id . '@changes' );
	}

	private function publish( string $type, array $fields ): void {
		$this->publisher->publish(
			$this->wiki->id . $type,
			array_filter( $fields, static fn ( $value ) => $value !== null && $value !== '' ),
			// No id of the wiki's own: pages may have been given that one, and would not hear of anything.
			$this->clientId->fromRequest(),
			false,
			$this->clientId->actor()
		);
	}
}
