/*
 * Tells a reader that the page on the screen is not the current one any more.
 */
import { Bar } from './bar.js';
import { catchUp } from './current.js';
import { clock, nothing, renew, say, take, wanted } from './news.js';

// Seconds by which the database that the wiki made the page from may have been behind. What the page shows already is told by its revision.
const MARGIN = 60;

const config = ( name ) => mw.config.get( name );

function start() {
	const revision = config( 'wgRevisionId' );
	const name = config( 'wgPageName' );
	const page = config( 'wgArticleId' );
	// The page may come out of a cache that is hours old.
	const made = config( 'wsTime' );
	const time = clock( config( 'wgUserLanguage' ), Date.now );
	const bar = new Bar( document, {
		label: mw.msg( 'websocket-live-label' ),
		changes: mw.msg( 'websocket-live-show-changes' ),
		reload: mw.msg( 'websocket-live-reload' ),
		dismiss: mw.msg( 'websocket-live-dismiss' )
	}, {
		page: mw.util.getUrl( name ),
		reload: () => location.reload()
	} );
	bar.insert( document );

	const reader = { revision, user: config( 'wgUserName' ), time: made };
	let news = nothing();
	let wasConnected = false;

	function show( next, isReworded ) {
		news = next;
		if ( !news.event ) {
			bar.hide();
			return;
		}
		// Counting needs the plural rules of the reader's language, which the first change can do without.
		mw.loader.using( news.edits > 1 ? 'mediawiki.jqueryMsg' : [] ).then( () => {
			if ( news !== next ) {
				return; // something else has happened meanwhile
			}
			const { key, params, changes } = say( news, time );
			const text = mw.msg( key, ...params );
			if ( isReworded ) {
				bar.reword( text );
				return;
			}
			bar.show(
				text,
				changes ? mw.util.getUrl( name, { diff: changes, oldid: revision } ) : '',
				news.event.event === 'move' ? mw.util.getUrl( news.event.target ) : ''
			);
		} );
	}

	const type = config( 'wsWikiID' ) + '@page/' + page;
	const missed = catchUp( {
		shown: { page, name, revision },
		get: ( params ) => mw.loader.using( 'mediawiki.api' ).then( () => new mw.Api().get( params ) ),
		// All that has happened is among it.
		tell( events ) {
			const change = renew( news, events.reduce( ( before, event ) => take( before, event, reader ), nothing() ) );
			if ( change ) {
				show( change.news, change.reworded );
			}
		},
		after: setTimeout,
		look( run ) {
			const looked = () => {
				if ( !document.hidden ) {
					document.removeEventListener( 'visibilitychange', looked );
					run();
				}
			};
			document.addEventListener( 'visibilitychange', looked );
			looked();
		},
		alone: () => !wasConnected,
		random: Math.random
	} );
	window.webSocket.missed( ( which ) => {
		if ( which === type ) {
			missed();
		}
	} );
	window.webSocket.connected( () => {
		wasConnected = true;
	} );
	window.webSocket.subscribe( type, ( data ) => {
		// Only the wiki sends these; a relay that is open to everybody may not know.
		const next = data.wiki ? take( news, data.msg, reader ) : news;
		if ( next !== news ) {
			show( next, data.msg.event === 'visibility' );
		}
	}, made ? { since: made - MARGIN } : {} );
}

if ( wanted( config ) && window.webSocket ) {
	$( start );
}
