<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Installer\Hook\LoadExtensionSchemaUpdatesHook;

/**
 * Tells maintenance/update.php of the table for pages that poll.
 */
class SchemaHandler implements LoadExtensionSchemaUpdatesHook {
	/** @inheritDoc */
	public function onLoadExtensionSchemaUpdates( $updater ) {
		$type = $updater->getDB()->getType();
		$updater->addExtensionTable( Outbox::TABLE, dirname( __DIR__, 2 ) . "/sql/$type/tables-generated.sql" );
	}
}
