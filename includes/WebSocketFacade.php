<?php

declare( strict_types = 1 );

use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\Publisher;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\MediaWikiServices;

/**
 * What other extensions and LocalSettings.php use: the class of the original extension.
 *
 * The static properties are settings. LocalSettings.php assigns them after including WebSocket.php; those that it
 * leaves null keep the value of their $wgWebSocket… counterpart. They have no effect once MediaWiki has read its
 * settings, $clientID excepted.
 */
class WebSocket {
	/** @var int|null Port of the relay, $wgWebSocketPort */
	public static $port = null;

	/** @var bool|null Whether browsers connect to /websocket:PORT on the wiki's host, $wgWebSocketRewrite */
	public static $rewrite = null;

	/** @var string|null Accepted and ignored: there is no Perl daemon any more */
	public static $perl = null;

	/** @var string|false|null File for the relay's log, $wgWebSocketLog */
	public static $log = null;

	/** @var string|false|null PEM file with the certificate chain, $wgWebSocketTLSCert */
	public static $ssl_cert = null;

	/** @var string|false|null PEM file with the private key, $wgWebSocketTLSKey */
	public static $ssl_key = null;

	/** @var string|null Sender of the messages of this request, $wgWebSocketClientID */
	public static $clientID = null;

	/**
	 * Send a message to every page that has subscribed to its type.
	 *
	 * It leaves after the database transaction of the moment has committed and the response has gone out, together
	 * with all other messages of the request. Nothing is sent when the transaction is rolled back. In maintenance
	 * scripts it leaves as soon as the transaction has committed. Called before MediaWiki's services are there
	 * (from LocalSettings.php or a registration callback) it waits for them, and returns true. It never throws and
	 * never waits for the relay: a message that cannot be sent is dropped.
	 *
	 * The sender is the request parameter "clientID" if there is one, so that the page whose request this is does
	 * not get the message, else self::$clientID, else an id that is new in each request.
	 *
	 * @param string $type 1 to 255 bytes of UTF-8 without control characters. A type that begins with the id of a
	 *   wiki belongs to that wiki; every other type is shared by all public wikis of the relay.
	 * @param mixed $msg Anything that JSON can hold, nested at most 31 deep
	 * @param string|array|int|null|false $to Client ids of the recipients, as an array or a comma-separated string;
	 *   false, null, 0, '', '0', [] and [ 0 ]: everyone
	 * @return bool Whether the message was accepted. A message that could never be sent (a bad type, sender or
	 *   recipient, a value that JSON cannot hold, more than 1 MiB) is an error in the log channel "WebSocket".
	 */
	public static function send( $type, $msg, $to = false ) {
		if ( !MediaWikiServices::hasInstance() ) {
			$GLOBALS['wgExtensionFunctions'][] = static function () use ( $type, $msg, $to ) {
				self::send( $type, $msg, $to );
			};
			return true;
		}
		$services = MediaWikiServices::getInstance();
		/** @var ClientId $clientId */
		$clientId = $services->getService( 'WebSocket.ClientId' );
		/** @var Publisher $publisher */
		$publisher = $services->getService( 'WebSocket.Publisher' );
		$override = (string)self::$clientID;
		$from = $clientId->fromRequest() ?? ( $override !== '' ? $override : $clientId->own() );
		return $publisher->publish( $type, $msg, $from, $to, $clientId->actor() );
	}

	/**
	 * What a type begins with that belongs to this wiki, the wsWikiID of JavaScript.
	 *
	 * @return string Table prefix, database name and ":"
	 */
	public static function wikiID() {
		/** @var WikiIdentity $wiki */
		$wiki = MediaWikiServices::getInstance()->getService( 'WebSocket.WikiIdentity' );
		return $wiki->id;
	}
}
