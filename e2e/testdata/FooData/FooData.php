<?php

class FooData {
	public static function onBeforePageDisplay( $out ) {
		$out->addModules( 'ext.fooData' );
	}

	public static function onPageSaveComplete( $wikiPage ) {
		$page = $wikiPage->getTitle()->getText();
		WebSocket::send( 'FooDataChanged', "$page has been changed" );
		return true;
	}
}
